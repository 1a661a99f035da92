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
function read(messages: readonly Uint8Array[]) {
  const lead = concat([Q, S]);
  const bytes = concat([lead, ...messages, S, Q]);
  const end = bytes.length - S.length - Q.length;
  const cycle = readCycle(bytes, lead.length, end);
  let types = "";
  for (let at = 0; at < cycle.bytes.length;) {
    types += String.fromCharCode(cycle.bytes[at] as number);
    at += 1 + new DataView(cycle.bytes.buffer, cycle.bytes.byteOffset)
      .getInt32(at + 1);
  }
  return [types, cycle.before, cycle.copyEnds, cycle.openExecute];
}

Deno.test("readCycle: what the primary acted on is sent, exactly one ReadyForQuery answers it", () => {
  assert.deepEqual(read([Q]), ["Q", 0, 0, 0]);
  assert.deepEqual(read([S]), ["S", 0, Infinity, 0]);
  assert.deepEqual(read([]), ["S", 0, Infinity, 0]);
  assert.deepEqual(read([E, S]), ["PBES", 0, Infinity, 3]);
  assert.deepEqual(read([E, Q]), ["PBEQ", 3, 0, 0]);
  // Skipped behind an error.
  assert.deepEqual(read([E, Q, E, Q, S]), ["PBEPBES", 0, Infinity, 6]);
  // Swallowed by copy-in.
  assert.deepEqual(
    read([E, S, S, DATA, END, S]),
    ["PBEdcS", 0, Infinity, 0],
  );
  assert.deepEqual(read([Q, S, DATA, END]), ["Qdc", 0, 1, 0]);
  // Left over from a copy that failed.
  assert.deepEqual(read([DATA, END, S]), ["dcS", 0, Infinity, 0]);
  assert.deepEqual(read([DATA, END, Q]), ["dcQ", 0, 0, 0]);
});

Deno.test("readCycle: a Sync may be swallowed by copy-in that the last Execute begins", () => {
  assert.deepEqual(read([E, S, DATA, S]), ["PBEdS", 0, Infinity, 3]);
  assert.deepEqual(
    read([E, DATA, END, E, DATA, S]),
    ["PBEdcPBEdS", 0, Infinity, 6],
  );
  assert.deepEqual(read([END, E, S]), ["cPBES", 0, Infinity, 3]);
});
