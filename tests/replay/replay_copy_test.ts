import assert from "node:assert/strict";
import { UNPLANNED } from "../../src/replay/plan.ts";
import { Replay } from "../../src/replay/replay.ts";
import { CYCLE_BYTES, CYCLE_WORDS, ReplyDigest } from "../../src/record/mod.ts";
import { Framer } from "../../src/wire/mod.ts";
import { copyData, copyDone } from "../support/model/messages.ts";
import {
  concat,
  extended,
  int16,
  message,
  query,
  sync,
} from "../support/wire_client.ts";

const COPY = extended("copy t from stdin");
const DATA = copyData("1\n");
const END = copyDone();

/** Replays a cycle against a mirror whose reply comes in `chunks`. @returns what became of each, and what the mirror got. */
function replay(
  cycle: readonly Uint8Array[],
  chunks: readonly string[],
): string[] {
  const bytes = concat(cycle);
  const cycles = new Uint32Array(CYCLE_WORDS);
  cycles[CYCLE_BYTES] = bytes.length;
  const replay = new Replay(
    {
      bytes,
      cycles,
      statements: new Uint32Array(0),
      answers: new Uint8Array(0),
      size: 0,
      startUs: 0,
      endUs: 1,
      roundTripUs: 0,
      comparison: { mode: "rows", bytes: 0 },
    },
    UNPLANNED,
    new ReplyDigest(0),
    new Framer(),
  );
  replay.take(0);
  return chunks.map((types) => {
    const chunk = concat([...types].map(answer));
    const progress = replay.reply(chunk, chunk.length, 1, () => {});
    if (progress !== "stuck") return progress;
    return String.fromCharCode(replay.missing[0] as number);
  });
}

/** "E" is a failure, "X" one with SQLSTATE 57014. */
function answer(type: string): Uint8Array {
  switch (type) {
    case "C":
      return message("C", "COPY 1\0");
    case "E":
      return message("E", "SERROR\0VERROR\0C22P04\0\0");
    case "X":
      return message("E", "SERROR\0VERROR\0C57014\0\0");
    case "G":
      return message("G", "\0", int16(0));
    case "Z":
      return message("Z", "I");
    default:
      return message(type);
  }
}

Deno.test("Replay: a mirror gets a Sync for that which copy-in has swallowed, and none if it had failed before", () => {
  // The first COPY is ended by the client, the second one failed on the primary.
  for (const cycle of [[COPY, DATA, sync()], [COPY, DATA, sync(), sync()]]) {
    const before = [COPY, DATA, END];
    const both = [...before, ...cycle];
    assert.deepEqual(replay(both, ["12G", "C12G", "E", "Z"]), [
      "waiting",
      "f",
      "waiting",
      "done",
    ]);
    assert.deepEqual(replay(both, ["12G", "C12G", "X", "Z"]), [
      "waiting",
      "f",
      "S",
      "done",
    ]);
    assert.deepEqual(replay(cycle, ["12GEZ"]), ["done"]);
    assert.deepEqual(replay(cycle, ["12GE", "Z"]), ["f", "done"]);
    assert.deepEqual(replay(cycle, ["12", "EZ"]), ["waiting", "done"]);
  }
});

Deno.test("Replay: the client's own CopyFail is no sign that a Sync was swallowed", () => {
  const refused = [COPY, DATA, message("f", "no\0"), COPY, sync()];
  assert.deepEqual(replay(refused, ["12G", "X", "Z"]), [
    "waiting",
    "waiting",
    "done",
  ]);
});

Deno.test("Replay: copy ends that stand before the Query, or before the Execute, end no copy of it", () => {
  const Q = query("copy t from stdin; copy t from stdin");
  assert.deepEqual(replay([END, Q, DATA], ["G", "EZ"]), ["f", "done"]);
  assert.deepEqual(replay([Q, DATA, END, DATA], ["G", "CG", "EZ"]), [
    "waiting",
    "f",
    "done",
  ]);
  assert.deepEqual(replay([COPY, DATA, END, Q, DATA], ["12G", "CG", "EZ"]), [
    "waiting",
    "f",
    "done",
  ]);
  assert.deepEqual(replay([END, COPY, DATA, sync()], ["12G", "EZ"]), [
    "f",
    "done",
  ]);
});
