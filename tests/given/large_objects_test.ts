import assert from "node:assert/strict";
import { withLargeObject } from "../../src/given/large_objects.ts";
import type { Reply } from "../../src/judge/mod.ts";
import {
  KIND_COMPLETE,
  KIND_ERROR,
  KIND_FUNCTION,
  STATEMENT_KIND,
  STATEMENT_WORDS,
} from "../../src/record/mod.ts";
import { concat, int16, int32, message } from "../support/wire_client.ts";

const LO_CREATE = 715;
const LO_OPEN = 952;
const LO_CREAT = 957;
const MADE = 16_500;

/** A FunctionCall with one argument, as libpq sends it. */
const call = (
  name: number,
  value: number,
  format = 1,
  resultFormat = 1,
) =>
  message(
    "F",
    int32(name),
    int16(1),
    int16(format),
    int16(1),
    int32(4),
    int32(value),
    int16(resultFormat),
  );

function reply(kind: number, ...parts: Uint8Array[]): () => Reply {
  const words = new Uint32Array(STATEMENT_WORDS);
  words[STATEMENT_KIND] = kind;
  const answer = concat(parts);
  return () => ({ words, at: 0, answer });
}

const response = (...body: Uint8Array[]) =>
  reply(KIND_FUNCTION, message("V", ...body));
const made = response(int32(4), int32(MADE));

Deno.test("withLargeObject: what the primary made has its OID on the mirror", () => {
  const expected = call(LO_CREATE, MADE);
  const sent = call(LO_CREAT, -1);
  const before = sent.slice();
  assert.deepEqual(withLargeObject(sent, made), expected);
  assert.deepEqual(sent, before);
  assert.deepEqual(withLargeObject(call(LO_CREATE, 0), made), expected);
});

Deno.test("withLargeObject: all else goes as it came", () => {
  const others = [
    // An OID of the client's choice, and no object that is made.
    call(LO_CREATE, 99),
    call(LO_OPEN, 0),
    // In text.
    call(LO_CREAT, 0, 0),
    call(LO_CREAT, 0, 1, 0),
    call(LO_CREAT, 0).slice(0, -1),
    message("F", int32(LO_CREAT), int16(0), int16(0), int16(1)),
    message("S"),
    new Uint8Array(0),
  ];
  for (const bytes of others) {
    assert.equal(withLargeObject(bytes, made), bytes);
  }
  const sent = call(LO_CREAT, -1);
  const replies = [
    () => undefined,
    reply(KIND_ERROR),
    reply(KIND_COMPLETE, message("V", int32(4), int32(MADE))),
    reply(KIND_FUNCTION),
    response(int32(-1)),
    response(int32(5), int32(MADE), new Uint8Array(1)),
  ];
  for (const one of replies) assert.equal(withLargeObject(sent, one), sent);
});
