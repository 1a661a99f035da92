import assert from "node:assert/strict";
import fc from "fast-check";
import { loadModule } from "libpg-query";
import { CYCLE_BYTES, CYCLE_WORDS } from "../../src/record/mod.ts";
import { ShapeCache } from "../../src/sql/shape_cache.ts";
import { Framer } from "../../src/wire/mod.ts";
import { startCluster } from "../support/cluster.ts";
import { TestProxy } from "../support/proxy.ts";
import { TappedSession } from "../support/tapped_session.ts";
import {
  concat,
  extended,
  int32,
  message,
  query,
  sync,
  WireClient,
} from "../support/wire_client.ts";

const SEED = 20_242_7304;
const RUNS = 3_000;
const ANSWER = concat([message("C", "SELECT 1\0"), message("Z", "I")]);

/**
 * PostgreSQL's own rule (pqcomm.c): a type, a signed length of at least 4, so
 * many bytes. Written a second time on purpose, over the whole stream.
 *
 * @returns positions behind each whole message, with its type.
 */
function cutWhole(stream: Uint8Array): { end: number; type: string }[] {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.length);
  const messages = [];
  for (let at = 0; at + 5 <= stream.length;) {
    const length = view.getInt32(at + 1);
    const end = at + 1 + length;
    if (length < 4 || end > stream.length) break;
    messages.push({ end, type: String.fromCharCode(stream[at] as number) });
    at = end;
  }
  return messages;
}

/** The same with the class that relay, tap and mirror use, cut anywhere. */
function cutInPieces(stream: Uint8Array, sizes: readonly number[]) {
  const framer = new Framer();
  const messages = [];
  for (const chunk of pieces(stream, sizes)) {
    for (let at = 0; at < chunk.length;) {
      at = framer.step(chunk, at, chunk.length);
      if (!framer.finished) continue;
      messages.push({
        end: chunk.byteOffset - stream.byteOffset + at,
        type: String.fromCharCode(framer.type),
      });
    }
  }
  return messages;
}

/** `sizes` over and over. */
function* pieces(stream: Uint8Array, sizes: readonly number[]) {
  for (let at = 0, i = 0; at < stream.length; i++) {
    const size = sizes[i % sizes.length] as number; // not empty
    yield stream.subarray(at, at + size);
    at += size;
  }
}

/** What a length may say, whatever follows: near every edge that an integer has. */
const lie = fc.oneof(
  fc.constantFrom(0, 1, 2, 3, 4, 5),
  fc.integer({ min: -5, max: 5 }).map((n) => 2 ** 31 + n),
  fc.integer({ min: -9, max: 8 }).map((n) => 2 ** 32 + n),
  fc.integer({ min: -5, max: 5 }).map((n) => 2 ** 16 + n),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
);
/** A message inside of a body: what a wrapped length would bring to light. */
const smuggled = fc.constantFrom(
  query("drop table accounts"),
  extended("delete from accounts"),
  concat([message("c"), sync()]),
);
const honest = fc.oneof(
  fc.constantFrom(query("select 1"), concat([extended("select 2"), sync()])),
  fc.tuple(
    fc.constantFrom("Q", "P", "d", "p"),
    fc.uint8Array({ maxLength: 40 }),
  )
    .map(([type, body]) => message(type, body)),
);
const lying = fc.tuple(
  fc.constantFrom("Q", "P", "B", "E", "d", "S", "X", "\0"),
  lie,
  fc.oneof(smuggled, fc.uint8Array({ maxLength: 20 })),
).map(([type, length, body]) =>
  concat([new TextEncoder().encode(type), int32(length | 0), body])
);
const stream = fc.array(
  fc.oneof({ weight: 4, arbitrary: honest }, { weight: 1, arbitrary: lying }),
  { minLength: 1, maxLength: 12 },
).map(concat);
const sizes = fc.array(fc.integer({ min: 1, max: 40 }), {
  minLength: 1,
  maxLength: 8,
});

Deno.test("Framer: cuts where PostgreSQL cuts, whatever lengths say and however the bytes come", () => {
  fc.assert(
    fc.property(stream, sizes, (stream, sizes) => {
      assert.deepEqual(cutInPieces(stream, sizes), cutWhole(stream));
    }),
    { seed: SEED, numRuns: RUNS },
  );
});

Deno.test("Tap and mirror: a request holds whole messages as PostgreSQL cuts them, and nothing else", async () => {
  await loadModule();
  const shapes = new ShapeCache(1_000);
  fc.assert(
    fc.property(stream, sizes, (stream, sizes) => {
      const whole = cutWhole(stream);
      const last = whole.find(({ type }) => type === "X")?.end ?? Infinity;
      const session = new TappedSession(shapes);
      let answered = 0;
      let position = 0;
      for (const piece of pieces(stream, sizes)) {
        session.client(piece.slice());
        position += piece.length;
        // A server that answers what it finds by its own rule.
        for (; (whole[answered]?.end ?? Infinity) <= position; answered++) {
          const { type, end } = whole[answered] as typeof whole[number];
          if (end <= last && "QFS".includes(type)) session.server(ANSWER);
        }
      }
      assert.equal(session.end(), 0, "bytes of the budget");
      assert.ok(session.closed, `${session.seen} seen`);
      const ends = new Set(whole.map(({ end }) => end));
      let at = 0;
      for (const { bytes, cycles } of session.transactions) {
        assert.deepEqual(bytes, stream.slice(at, at + bytes.length));
        for (let i = 0; i < cycles.length; i += CYCLE_WORDS) {
          at += cycles[i + CYCLE_BYTES] as number;
          assert.ok(ends.has(at), `a cycle ends at ${at}`);
        }
        assert.deepEqual(
          cutInPieces(bytes, [7]).map(({ type }) => type),
          cutWhole(bytes).map(({ type }) => type),
        );
      }
    }),
    { seed: SEED, numRuns: RUNS },
  );
});

Deno.test({
  name:
    "proxy: a wrapped length brings no statement to the mirror that the primary did not run",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const settings = { log_statement: "all" };
    await using primary = await startCluster({ version: "15", settings });
    await using mirror = await startCluster({ version: "15", settings });
    await using proxy = await TestProxy.start({ primary, mirror });
    const inner = query("select 'smuggled'");
    const lengths = [0, 1, 3, 4, 5, 9, -1, -4, -5, -(2 ** 31), 2 ** 31 - 1];
    for (const length of lengths) {
      for (const type of ["Q", "P", "d", "S", "~"]) {
        const bytes = concat([
          query("select 'before'"),
          new TextEncoder().encode(type),
          int32(length),
          inner,
          inner,
        ]);
        const [direct, through] = await Promise.all(
          [primary.port, proxy.port].map((port) => talk(port, bytes)),
        );
        assert.equal(through, direct, `${type} of length ${length}`);
      }
    }
    const ledger = await proxy.settled();
    const { seen, replayed, failed, dropped, excluded } = ledger;
    const rest = [failed, dropped, excluded].flatMap((c) => Object.values(c))
      .reduce((sum, n) => sum + n, 0);
    assert.equal(seen, replayed + rest, JSON.stringify(ledger));
    const count = async (logFile: string) =>
      (await Deno.readTextFile(logFile)).split("'smuggled'").length - 1;
    // Each was run directly and through the proxy; on the mirror at most once.
    assert.ok(await count(mirror.logFile) * 2 <= await count(primary.logFile));
    assert.ok(await count(primary.logFile) > 0);
  },
});

/** All that the server says until it closes or says nothing more behind our end. */
async function talk(port: number, bytes: Uint8Array): Promise<string> {
  using client = await WireClient.connect(port);
  await client.send(bytes);
  await client.finish();
  return new TextDecoder("latin1").decode(await client.end());
}
