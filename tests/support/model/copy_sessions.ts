import fc from "fast-check";
import { concat, query, sync } from "../wire_client.ts";
import {
  BAD_LINE,
  COPIES,
  CopyServer,
  LAST_LINE,
  STATEMENTS,
} from "./copy_server.ts";
import {
  bind,
  copyData,
  copyDone,
  copyFail,
  describe,
  execute,
  flush,
  functionCall,
  parse,
} from "./messages.ts";
import type { Script } from "./script.ts";

/** Client messages, as a client sends them that does not wait to see whether a COPY fails. */
export interface CopySession {
  readonly messages: readonly Uint8Array[];
}

const INT4DIV = 154;
const plain = STATEMENTS.filter((sql) => !COPIES.includes(sql));
const copied = STATEMENTS.filter((sql) =>
  COPIES.includes(sql) && !sql.includes(" cm ")
);

const syncs = (max: number) =>
  fc.integer({ min: 0, max }).map((n) => Array.from({ length: n }, sync));

/** What stands where copy data may: lines, and what the server swallows between them. */
const dataPart: fc.Arbitrary<Uint8Array> = fc.oneof(
  { weight: 6, arbitrary: fc.constant(copyData("1\n")) },
  { weight: 2, arbitrary: fc.constant(copyData(BAD_LINE)) },
  { weight: 1, arbitrary: fc.constant(copyData("")) },
  { weight: 1, arbitrary: fc.constant(copyData(LAST_LINE)) },
  { weight: 1, arbitrary: fc.constant(flush()) },
  { weight: 1, arbitrary: fc.constant(sync()) },
);
const copyEnd = fc.oneof(
  { weight: 3, arbitrary: fc.constant(copyDone()) },
  { weight: 1, arbitrary: fc.constant(copyFail("no")) },
);
/** All of a copy's data, Syncs before and in them. */
const data: fc.Arbitrary<Uint8Array[]> = fc.tuple(
  syncs(2),
  fc.array(dataPart, { maxLength: 4 }),
  copyEnd,
).map(([early, parts, end]) => [...early, ...parts, end]);

function extended(sql: string, described: boolean, flushed: boolean) {
  return [
    parse("", sql),
    bind({ portal: "", statement: "", parameters: [], formats: [] }),
    ...(described ? [describe("P", "")] : []),
    ...(flushed ? [flush()] : []),
    execute("", 0),
  ];
}

const statement = fc.constantFrom(...plain, "select 1", "select 1");
const group: fc.Arbitrary<Uint8Array[]> = fc.tuple(
  statement,
  fc.boolean(),
  fc.boolean(),
).map(([sql, described, flushed]) => extended(sql, described, flushed));

/** COPY by the extended protocol. */
const extendedCopy: fc.Arbitrary<Uint8Array[]> = fc.tuple(
  fc.constantFrom(...COPIES),
  fc.boolean(),
  data,
).map((
  [sql, described, data],
) => [...extended(sql, described, false), ...data]);

/** COPY by Query, perhaps two of them, other statements around them. */
const simpleCopy: fc.Arbitrary<Uint8Array[]> = fc.tuple(
  fc.subarray(["select 1"]),
  fc.array(fc.tuple(fc.constantFrom(...copied), data), {
    minLength: 1,
    maxLength: 2,
  }),
  fc.subarray(["select 1"]),
).map(([before, copies, after]) => [
  query([...before, ...copies.map(([sql]) => sql), ...after].join("; ")),
  ...copies.flatMap(([, data]) => data),
]);

const call = fc.constantFrom("0", "1").map((by) => [
  functionCall(INT4DIV, ["1", by]),
]);
const simple = statement.map((sql) => [query(sql)]);
/** Drivers send them, and they mean nothing. */
const stray = fc.constantFrom(
  copyDone(),
  copyFail("stray"),
  copyData("1\n"),
  flush(),
).map((message) => [message]);

/** What leaves the server with nothing to wait for. */
const closed: fc.Arbitrary<Uint8Array[]> = fc.oneof(
  { weight: 3, arbitrary: simple },
  { weight: 1, arbitrary: call },
  {
    weight: 3,
    arbitrary: fc.tuple(group, syncs(2)).map(([g, s]) => [...g, ...s, sync()]),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(extendedCopy, syncs(2)).map((
      [c, s],
    ) => [...c, sync(), ...s]),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(simpleCopy, syncs(1)).map(([c, s]) => [...c, ...s]),
  },
  { weight: 1, arbitrary: stray },
);

/**
 * @param open with copies that no Sync of their own closes, too: what follows
 * one is skipped or not, and not all of these sessions can be cut.
 */
export function copySessions(open: boolean): fc.Arbitrary<CopySession> {
  return fc.array(
    fc.oneof(
      { weight: 5, arbitrary: closed },
      { weight: 1, arbitrary: open ? extendedCopy : group },
    ),
    { minLength: 1, maxLength: 6 },
  ).map((parts) => ({
    messages: [...parts.flat(), sync(), query("rollback")],
  }));
}

/** Types of the messages, for people. */
export function describeCopySession({ messages }: CopySession): string {
  const decoder = new TextDecoder();
  return messages.map((bytes) => {
    const type = String.fromCharCode(bytes[0] as number);
    const text = decoder.decode(bytes.subarray(5));
    if (type === "Q") return `Q(${text.slice(0, -1)})`;
    if (type === "P") return `P(${text.split("\0")[1]})`;
    if (type === "d") return `d(${text.trim()})`;
    return type;
  }).join(" ");
}

/** The same as scripts of one step. */
export const copyScripts: fc.Arbitrary<Script> = fc.record({
  session: copySessions(false),
  writeBytes: fc.constantFrom(1_000_000, 100, 17),
}).map(({ session, writeBytes }) => {
  const bytes = concat(session.messages);
  const model = new CopyServer();
  model.take(bytes);
  const step = {
    text: describeCopySession(session),
    bytes,
    ready: model.ready,
  };
  return { steps: [{ step, wait: true }], writeBytes };
});
