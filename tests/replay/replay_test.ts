import assert from "node:assert/strict";
import { UNPLANNED } from "../../src/replay/plan.ts";
import {
  BOUNDS,
  CYCLE_BYTES,
  CYCLE_LATENCY,
  CYCLE_QUEUED,
  CYCLE_STATEMENTS,
  CYCLE_WORDS,
  ReplyDigest,
  setCycleStart,
  STATEMENT_COMPLETE,
  STATEMENT_ROWS,
  STATEMENT_SENT,
  STATEMENT_WORDS,
} from "../../src/record/mod.ts";
import { Replay } from "../../src/replay/replay.ts";
import type { StatementPair } from "../../src/judge/statement_pair.ts";
import { Framer } from "../../src/wire/mod.ts";
import { concat, message, query } from "../support/wire_client.ts";

const TWO_HOURS_US = 7_200e6;

Deno.test("Replay: what the primary took counts from the answer before, the times of day from the sending", () => {
  const bytes = query("select 1; select 2");
  const cycles = new Uint32Array(CYCLE_WORDS);
  cycles[CYCLE_BYTES] = bytes.length;
  cycles[CYCLE_LATENCY] = 1_300;
  cycles[CYCLE_QUEUED] = 500;
  cycles[CYCLE_STATEMENTS] = 2;
  setCycleStart(cycles, 0, TWO_HOURS_US);
  const statements = new Uint32Array(2 * STATEMENT_WORDS);
  statements[STATEMENT_COMPLETE] = 1_100;
  statements[STATEMENT_WORDS + STATEMENT_COMPLETE] = 1_300;
  const transaction = {
    bytes,
    cycles,
    statements,
    answers: new Uint8Array(0),
    size: 0,
    startUs: 0,
    endUs: TWO_HOURS_US + 1_300,
    roundTripUs: 0,
    comparison: { mode: "rows" as const, bytes: 0 },
  };
  const digest = new ReplyDigest(0);
  const replay = new Replay(
    transaction,
    UNPLANNED,
    digest,
    new Framer(),
  );
  assert.equal(replay.dueUs, TWO_HOURS_US);
  replay.take(0);
  const done = message("C", "SELECT 1\0");
  const reply = concat([done, done, message("Z", "I")]);
  const pairs: StatementPair[] = [];
  assert.equal(
    replay.reply(reply, reply.length, 400, (pair) => pairs.push(pair)),
    "done",
  );
  assert.deepEqual(
    pairs.map((
      { primaryUs, queuedUs, mirrorUs, cycleStartUs, cycleEndUs },
    ) => [primaryUs, queuedUs, mirrorUs, cycleStartUs, cycleEndUs]),
    [
      [600, 500, 400, TWO_HOURS_US, TWO_HOURS_US + 1_100],
      [200, 0, 0, TWO_HOURS_US, TWO_HOURS_US + 1_300],
    ],
  );
});

Deno.test("Replay: the time that a client took before it sent a statement is not the primary's", () => {
  const bytes = query("select 1; select 2");
  const cycles = new Uint32Array(CYCLE_WORDS);
  cycles[CYCLE_BYTES] = bytes.length;
  cycles[CYCLE_LATENCY] = 1_300;
  cycles[CYCLE_STATEMENTS] = 2;
  const statements = new Uint32Array(2 * STATEMENT_WORDS);
  statements[STATEMENT_COMPLETE] = 100;
  statements[STATEMENT_WORDS + STATEMENT_SENT] = 1_000;
  statements[STATEMENT_WORDS + STATEMENT_COMPLETE] = 1_040;
  const replay = new Replay(
    {
      bytes,
      cycles,
      statements,
      answers: new Uint8Array(0),
      size: 0,
      startUs: 0,
      endUs: 1_300,
      roundTripUs: 0,
      comparison: { mode: "rows" as const, bytes: 0 },
    },
    UNPLANNED,
    new ReplyDigest(0),
    new Framer(),
  );
  replay.take(0);
  const done = message("C", "SELECT 1\0");
  const reply = concat([done, done, message("Z", "I")]);
  const primaryUs: number[] = [];
  replay.reply(reply, reply.length, 400, (pair) => {
    primaryUs.push(pair.primaryUs);
  });
  assert.deepEqual(primaryUs, [100, 40]);
});

Deno.test("Replay: a long cycle is paired while its reply comes in, as a short one is at its end", () => {
  const count = 5 * BOUNDS.recordStatements + 100;
  const bytes = query("select 1;".repeat(count));
  const cycles = new Uint32Array(CYCLE_WORDS);
  cycles[CYCLE_BYTES] = bytes.length;
  cycles[CYCLE_LATENCY] = 10 * count;
  cycles[CYCLE_STATEMENTS] = count;
  const statements = new Uint32Array(count * STATEMENT_WORDS);
  for (let i = 0; i < count; i++) {
    statements[i * STATEMENT_WORDS + STATEMENT_COMPLETE] = 10 * (i + 1);
  }
  const digest = new ReplyDigest(0);
  for (const answered of [count - 2_000, count, count + 700]) {
    const replay = new Replay(
      {
        bytes,
        cycles,
        statements,
        answers: new Uint8Array(0),
        size: 0,
        startUs: 0,
        endUs: 10 * count,
        roundTripUs: 0,
        comparison: { mode: "rows" as const, bytes: 0 },
      },
      UNPLANNED,
      digest,
      new Framer(),
    );
    replay.take(0);
    // Its rows tell which it is.
    const reply = concat(
      Array.from({ length: answered }, (_, i) => message("C", `UPDATE ${i}\0`)),
    );
    const seen: (readonly number[])[] = [];
    const onPair = ({ primary, mirror, primaryUs, mirrorUs }: StatementPair) =>
      seen.push([
        primary ? primary.at / STATEMENT_WORDS : -1,
        mirror?.words[mirror.at + STATEMENT_ROWS] ?? -1,
        primaryUs,
        mirrorUs,
      ]);
    const size = 1_000;
    for (let at = 0; at < reply.length; at += size) {
      const chunk = reply.slice(at, at + size);
      const progress = replay.reply(chunk, chunk.length, at / size, onPair);
      assert.equal(progress, "waiting");
      assert.ok(digest.heldBytes < 64_000, `${digest.heldBytes} are held`);
    }
    assert.ok(answered - seen.length <= BOUNDS.recordStatements);
    const ready = message("Z", "I");
    assert.equal(replay.reply(ready, ready.length, 5_000, onPair), "done");
    const both = Math.max(count, answered);
    assert.deepEqual(
      seen.map(([primary, mirror, primaryUs]) => [primary, mirror, primaryUs]),
      Array.from({ length: both }, (_, i) => [
        i < count ? i : -1,
        i < answered ? i : -1,
        i < count ? 10 : 0,
      ]),
    );
    // No time is counted twice, and none is left out.
    const mirrorUs = seen.reduce((sum, pair) => sum + (pair[3] ?? NaN), 0);
    assert.equal(mirrorUs, Math.floor((reply.length - 1) / size));
    digest.rest();
    assert.ok(digest.heldBytes <= BOUNDS.restBytes);
  }
});

Deno.test("Replay: the mirror's answer outlives the buffer that it was read into", () => {
  const bytes = query("select a from t");
  const cycles = new Uint32Array(CYCLE_WORDS);
  cycles[CYCLE_BYTES] = bytes.length;
  cycles[CYCLE_STATEMENTS] = 1;
  const transaction = {
    bytes,
    cycles,
    statements: new Uint32Array(STATEMENT_WORDS),
    answers: new Uint8Array(0),
    size: 0,
    startUs: 0,
    endUs: 0,
    roundTripUs: 0,
    comparison: { mode: "rows" as const, bytes: 1_000 },
  };
  const row = message("D", "\0\x01\0\0\0\x03one");
  const done = concat([message("C", "SELECT 2\0"), message("Z", "I")]);
  const scratch = new Uint8Array(100);
  for (let size = 1; size < 40; size++) {
    const replay = new Replay(
      transaction,
      UNPLANNED,
      new ReplyDigest(1_000),
      new Framer(),
    );
    replay.take(0);
    const reply = concat([row, row, done]);
    const answers: Uint8Array[] = [];
    for (let at = 0; at < reply.length; at += size) {
      const piece = reply.subarray(at, at + size);
      scratch.set(piece);
      replay.reply(scratch, piece.length, 1, ({ mirror }) => {
        answers.push(mirror?.answer.slice() ?? new Uint8Array(0));
      });
      scratch.fill(0xee);
    }
    assert.deepEqual(answers, [concat([row, row])], `pieces of ${size}`);
  }
});
