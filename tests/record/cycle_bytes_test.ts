import assert from "node:assert/strict";
import { readCycle } from "../../src/record/cycle_bytes.ts";
import {
  concat,
  extended,
  message,
  query,
  sync,
} from "../support/wire_client.ts";

const E = extended("select 1");
const Q = query("select 1");
const S = sync();
const DATA = message("d", "1\n");
const END = message("c");

/** The types of what is sent, and the rest that is known. */
function read(messages: readonly Uint8Array[], copied = false) {
  const lead = concat([Q, S]);
  const bytes = concat([lead, ...messages, S, Q]);
  const end = bytes.length - S.length - Q.length;
  const cycle = readCycle(bytes, lead.length, end, copied);
  let types = "";
  for (let at = 0; at < cycle.bytes.length;) {
    types += String.fromCharCode(cycle.bytes[at] as number);
    at += 1 + new DataView(cycle.bytes.buffer, cycle.bytes.byteOffset)
      .getInt32(at + 1);
  }
  const missing = String.fromCharCode(cycle.copyFail[0] as number) +
    (cycle.copyFail.length > 6 ? "S" : "");
  return [types, cycle.copyEnds, cycle.before, missing];
}

Deno.test("readCycle: what the primary acted on is sent, exactly one ReadyForQuery answers it", () => {
  assert.deepEqual(read([Q]), ["Q", 0, 0, "f"]);
  assert.deepEqual(read([S]), ["S", 0, 0, "fS"]);
  assert.deepEqual(read([E, S]), ["PBES", 0, 0, "fS"]);
  assert.deepEqual(read([E, Q]), ["PBEQ", 0, 3, "f"]);
  // Skipped behind an error.
  assert.deepEqual(read([E, Q, E, Q, S]), ["PBEPBES", 0, 0, "fS"]);
  // Swallowed by copy-in.
  assert.deepEqual(read([E, S, S, DATA, END, S]), ["PBEdcS", 1, 0, "fS"]);
  assert.deepEqual(read([Q, S, DATA, END]), ["Qdc", 1, 0, "f"]);
  // Left over from a copy that failed.
  assert.deepEqual(read([DATA, END, S]), ["dcS", 1, 0, "fS"]);
  assert.deepEqual(read([DATA, END, Q]), ["dcQ", 1, 0, "f"]);
});

Deno.test("readCycle: copy-in that failed without the data's end is ended before the Sync", () => {
  assert.deepEqual(read([E, S], true), ["PBEfS", 1, 0, "fS"]);
  assert.deepEqual(read([E, S, DATA, S], true), ["PBEdfS", 1, 0, "fS"]);
  assert.deepEqual(read([E, S, DATA, END, S], true), ["PBEdcS", 1, 0, "fS"]);
  assert.deepEqual(read([Q, DATA], true), ["Qd", 0, 0, "f"]);
});
