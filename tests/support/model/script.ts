import fc from "fast-check";
import { concat, int32, query, sync } from "../wire_client.ts";
import {
  bind,
  close,
  copyData,
  copyDone,
  copyFail,
  describe,
  execute,
  flush,
  functionCall,
  type Parameter,
  parse,
} from "./messages.ts";
import {
  copyIn,
  copyOut,
  parameterized,
  queryText,
  statement,
} from "./statements.ts";

/**
 * A part of a script that leaves the connection between two messages and not
 * in copy mode, whatever state it finds.
 */
export interface Step {
  /** For people: shown with a counterexample. */
  readonly text: string;
  readonly bytes: Uint8Array;
  /** ReadyForQuery that the server gives at least. */
  readonly ready: number;
}

/** Steps with the moments at which the client waits for answers. */
export interface Script {
  readonly steps: readonly { readonly step: Step; readonly wait: boolean }[];
  /** Bytes of one write. */
  readonly writeBytes: number;
}

const name = fc.constantFrom("", "", "n1", "n2");
const portal = fc.constantFrom("", "", "p1", "p2");

const simple: fc.Arbitrary<Step> = queryText.map((sql) => ({
  text: `Query ${JSON.stringify(sql)}`,
  bytes: query(sql),
  ready: 1,
}));

/** Messages of the extended protocol with what to call them. */
interface Message {
  readonly text: string;
  readonly bytes: Uint8Array;
  /** What it does with the unnamed portal. */
  readonly unnamed?: "binds" | "uses" | undefined;
}

const parameter: fc.Arbitrary<Parameter> = fc.oneof(
  fc.integer({ min: -2, max: 9 }).map(String),
  fc.integer({ min: -2, max: 9 }).map(int32),
  fc.constantFrom("", "é", "not a number"),
  fc.constant(null),
);
const formats = fc.constantFrom([], [0], [1], [1, 0], [7]);
const rowLimit = fc.constantFrom(0, 0, 0, 1, 2, 1_000, -1);

const parseMessage: fc.Arbitrary<Message> = fc.record({
  name,
  sql: fc.oneof(
    { weight: 3, arbitrary: statement },
    { weight: 3, arbitrary: parameterized },
    { weight: 1, arbitrary: copyOut },
    { weight: 1, arbitrary: fc.constant("select 1; select 2") },
  ),
  types: fc.constantFrom([], [], [23], [25, 23], [999_999]),
}).map(({ name, sql, types }) => ({
  text: `Parse ${name}=${JSON.stringify(sql)} [${types}]`,
  bytes: parse(name, sql, types),
}));

const bindMessage: fc.Arbitrary<Message> = fc.record({
  portal,
  statement: name,
  parameters: fc.oneof(
    fc.constant([]),
    fc.array(parameter, { maxLength: 3 }),
  ),
  formats,
}).map((options) => ({
  text: `Bind ${options.portal}<-${options.statement} ${
    JSON.stringify(options.parameters)
  } [${options.formats}]`,
  bytes: bind(options),
  unnamed: options.portal === "" ? "binds" as const : undefined,
}));

const otherMessage: fc.Arbitrary<Message> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(portal, rowLimit).map(([portal, rows]) => ({
      text: `Execute ${portal} ${rows}`,
      bytes: execute(portal, rows),
      unnamed: portal === "" ? "uses" as const : undefined,
    })),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom("S", "P"), fc.oneof(name, portal)).map(
      ([kind, name]) => ({
        text: `Describe ${kind} ${name}`,
        bytes: describe(kind, name),
        unnamed: kind === "P" && name === "" ? "uses" as const : undefined,
      }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom("S", "P"), fc.oneof(name, portal)).map(
      ([kind, name]) => ({
        text: `Close ${kind} ${name}`,
        bytes: close(kind, name),
      }),
    ),
  },
  { weight: 1, arbitrary: fc.constant({ text: "Flush", bytes: flush() }) },
);

/** Parse, Bind, Describe, Execute as drivers send them. */
const whole: fc.Arbitrary<Message[]> = fc.record({
  sql: fc.oneof(statement, copyOut),
  described: fc.boolean(),
  formats: fc.constantFrom([], [0], [1]),
  rows: rowLimit,
}).map(({ sql, described, formats, rows }) => [
  { text: `Parse =${JSON.stringify(sql)}`, bytes: parse("", sql) },
  {
    text: "Bind",
    bytes: bind({ portal: "", statement: "", parameters: [], formats }),
    unnamed: "binds" as const,
  },
  ...(described ? [{ text: "Describe P", bytes: describe("P", "") }] : []),
  { text: `Execute ${rows}`, bytes: execute("", rows) },
]);

/** A named statement with parameters, bound and executed in parts. */
const named: fc.Arbitrary<Message[]> = fc.record({
  name,
  portal,
  sql: parameterized,
  parameters: fc.array(parameter, { minLength: 1, maxLength: 2 }),
  formats,
  limits: fc.array(rowLimit, { minLength: 1, maxLength: 4 }),
}).map(({ name, portal, sql, parameters, formats, limits }) => [
  { text: `Parse ${name}=${JSON.stringify(sql)}`, bytes: parse(name, sql) },
  { text: `Describe S ${name}`, bytes: describe("S", name) },
  {
    text: `Bind ${portal}<-${name} ${JSON.stringify(parameters)}`,
    bytes: bind({ portal, statement: name, parameters, formats }),
    unnamed: portal === "" ? "binds" as const : undefined,
  },
  ...limits.map((rows) => ({
    text: `Execute ${portal} ${rows}`,
    bytes: execute(portal, rows),
  })),
]);

const messages: fc.Arbitrary<Message[]> = fc.oneof(
  { weight: 4, arbitrary: whole },
  { weight: 3, arbitrary: named },
  {
    weight: 3,
    arbitrary: fc.array(
      fc.oneof(parseMessage, bindMessage, otherMessage),
      { minLength: 0, maxLength: 5 },
    ),
  },
);

/**
 * The unnamed portal is used only behind its Bind: what a failed simple query
 * leaves there has been freed, and executing it ends PostgreSQL 15.18 with
 * SIGSEGV.
 */
function withoutStale(messages: readonly Message[]): Message[] {
  let bound = false;
  return messages.filter(({ unnamed }) => {
    bound ||= unnamed === "binds";
    return bound || unnamed !== "uses";
  });
}

function batch(all: readonly Message[], syncs: number): Step {
  const messages = withoutStale(all);
  return {
    text: [...messages.map(({ text }) => text), ...Array(syncs).fill("Sync")]
      .join(" · "),
    bytes: concat([
      ...messages.map(({ bytes }) => bytes),
      ...Array.from({ length: syncs }, sync),
    ]),
    ready: syncs,
  };
}

/** Messages of the extended protocol, closed by Sync. */
const extended: fc.Arbitrary<Step> = fc.tuple(
  fc.array(messages, { minLength: 1, maxLength: 4 }),
  fc.constantFrom(1, 1, 1, 2),
).map(([all, syncs]) => batch(all.flat(), syncs));

/** Many statements, each with its Sync, ahead of all answers. */
const pipeline: fc.Arbitrary<Step> = fc.array(messages, {
  minLength: 2,
  maxLength: 12,
}).map((all) => {
  const steps = all.map((one) => batch(one, 1));
  return {
    text: steps.map(({ text }) => text).join(" · "),
    bytes: concat(steps.map(({ bytes }) => bytes)),
    ready: steps.length,
  };
});

/** Query or FunctionCall behind messages that no Sync has closed: skipped if one of those fails. */
const unsynced: fc.Arbitrary<Step> = fc.tuple(
  messages,
  fc.oneof(queryText, fc.constant(undefined)),
).map(([before, sql]) => {
  const { text, bytes } = batch(before, 0);
  return {
    text: `${text} · ${
      sql === undefined ? "FunctionCall" : `Query ${JSON.stringify(sql)}`
    } · Sync`,
    bytes: concat([
      bytes,
      sql === undefined ? functionCall(177, ["1", "2"]) : query(sql),
      sync(),
    ]),
    ready: 1,
  };
});

const copyLines = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.integer({ min: 20, max: 60 }).map((n) => `${n}\t"v"\n`),
    },
    {
      weight: 3,
      arbitrary: fc.integer({ min: 20, max: 60 }).map((n) => `${n}\n`),
    },
    {
      weight: 2,
      arbitrary: fc.integer({ min: 20, max: 60 }).map((n) => `${n},"w"\n`),
    },
    { weight: 1, arbitrary: fc.constantFrom("x\n", "", "\\.\n", "70\t") },
    { weight: 1, arbitrary: fc.constant("80\t" + "y".repeat(100_000) + "\n") },
  ),
  { maxLength: 6 },
);
const copyEnd: fc.Arbitrary<Message> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constant({ text: "CopyDone", bytes: copyDone() }),
  },
  {
    weight: 1,
    arbitrary: fc.constant({ text: "CopyFail", bytes: copyFail("no") }),
  },
);

const simpleCopy: fc.Arbitrary<Step> = fc.record({
  before: fc.constantFrom("", "", "select 1; ", "begin; "),
  copy: copyIn,
  after: fc.constantFrom("", "", "; select 2", "; commit"),
  lines: copyLines,
  end: copyEnd,
  stray: fc.boolean(),
}).map(({ before, copy, after, lines, end, stray }) => ({
  text:
    `Query ${before}${copy}${after} · ${lines.length} CopyData · ${end.text}${
      stray ? " · stray CopyFail" : ""
    }`,
  bytes: concat([
    query(before + copy + after),
    ...lines.map(copyData),
    end.bytes,
    ...(stray ? [copyFail("stray")] : []),
  ]),
  ready: 1,
}));

/** The unnamed statement is no COPY behind it: a later Execute would wait for data. */
const afterCopy = concat([parse("", "select 1"), sync()]);

const extendedCopy: fc.Arbitrary<Step> = fc.record({
  copy: copyIn,
  lines: copyLines,
  end: copyEnd,
  /** A Sync that copy-in swallows, as drivers that do not know of COPY send it. */
  early: fc.boolean(),
}).map(({ copy, lines, end, early }) => ({
  text: `Parse, Bind, Execute ${copy}${
    early ? " · Sync" : ""
  } · ${lines.length} CopyData · ${end.text} · Sync`,
  bytes: concat([
    parse("", copy),
    bind({ portal: "", statement: "", parameters: [], formats: [] }),
    execute("", 0),
    ...(early ? [sync()] : []),
    ...lines.map(copyData),
    end.bytes,
    sync(),
    afterCopy,
  ]),
  ready: 2,
}));

/** Oids of int4pl, int4div, textcat, and of nothing, below those that are no two servers' same (excluded as unsafe). */
const call: fc.Arbitrary<Step> = fc.tuple(
  fc.constantFrom(177, 154, 1258, 9_999),
  fc.array(parameter, { maxLength: 3 }),
).map(([oid, parameters]) => ({
  text: `FunctionCall ${oid} ${JSON.stringify(parameters)}`,
  bytes: functionCall(oid, parameters),
  ready: 1,
}));

/** Notifications to oneself. @param channel of this player only. */
function notify(channel: string): fc.Arbitrary<Step> {
  return fc.constantFrom(
    `listen ${channel}`,
    "unlisten *",
    `notify ${channel}, 'x'`,
    `select pg_notify('${channel}', 'y')`,
  ).map((sql) => ({ text: `Query ${sql}`, bytes: query(sql), ready: 1 }));
}

/**
 * Legal scripts: every message is one that a client may send at that moment.
 *
 * @param channel for notifications; whoever else listens to it is disturbed.
 */
export function scripts(channel: string): fc.Arbitrary<Script> {
  const step = fc.oneof(
    { weight: 8, arbitrary: simple },
    { weight: 8, arbitrary: extended },
    { weight: 3, arbitrary: pipeline },
    { weight: 2, arbitrary: simpleCopy },
    { weight: 2, arbitrary: extendedCopy },
    { weight: 1, arbitrary: call },
    { weight: 1, arbitrary: notify(channel) },
    { weight: 2, arbitrary: unsynced },
  );
  return fc.record({
    steps: fc.array(
      fc.record({ step, wait: fc.boolean() }),
      { minLength: 1, maxLength: 10 },
    ),
    writeBytes: fc.constantFrom(1_000_000, 1_000_000, 1_000, 17, 5),
  });
}

/** A script for people. */
export function describeScript({ steps, writeBytes }: Script): string {
  return [
    `in writes of ${writeBytes} bytes:`,
    ...steps.map(({ step, wait }) => `  ${step.text}${wait ? " (waits)" : ""}`),
  ].join("\n");
}
