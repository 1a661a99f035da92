import assert from "node:assert/strict";
import { TypePair } from "../../src/catalog/mod.ts";
import { areTypesKnown, withMirrorTypes } from "../../src/given/sent_types.ts";
import { concat, int16, int32, message, sync } from "../support/wire_client.ts";

const MOOD = 20_000;
const MOODS = 20_001;
const PAIR = 20_002;
const UNKNOWN = 20_003;
const SAME = 20_004;
/** By how much the mirror's OIDs are higher. */
const MOVED = 500;
const INT4 = 23;
const REGTYPE = 2206;

function pairOf(): TypePair {
  const types = new TypePair();
  const names = { [MOOD]: "mood", [MOODS]: "mood[]", [PAIR]: "pair" };
  const all = Object.entries(names);
  types.primary.learn([
    ...all.map(([oid, name]) => ["type", oid, name]),
    ["type", `${SAME}`, "same"],
    ["type", `${UNKNOWN}`, "unknown"],
  ]);
  types.mirror.learn([
    ...all.map(([oid, name]) => ["type", `${Number(oid) + MOVED}`, name]),
    ["type", `${SAME}`, "same"],
  ]);
  return types;
}

const sized = (value: Uint8Array | undefined) =>
  value === undefined ? int32(-1) : concat([int32(value.length), value]);
const text = (value: string) => new TextEncoder().encode(value);

const array = (type: number, ...values: (Uint8Array | undefined)[]) =>
  concat([
    int32(1),
    int32(values.includes(undefined) ? 1 : 0),
    int32(type),
    int32(values.length),
    int32(1),
    ...values.map(sized),
  ]);

const record = (
  ...fields: (readonly [type: number, value: Uint8Array | undefined])[]
) =>
  concat([
    int32(fields.length),
    ...fields.flatMap(([type, value]) => [int32(type), sized(value)]),
  ]);

const parse = (...types: number[]) =>
  message("P", "s\0select 1\0", int16(types.length), ...types.map(int32));

const bind = (
  formats: readonly number[],
  ...values: (Uint8Array | undefined)[]
) =>
  message(
    "B",
    "\0s\0",
    int16(formats.length),
    ...formats.map(int16),
    int16(values.length),
    ...values.map(sized),
    int16(0),
  );

/** The same value with the primary's OIDs and with the mirror's. */
const VALUES: Readonly<
  Record<string, (mood: number, pair: number) => Uint8Array>
> = {
  "an array": (mood) => array(mood, text("sad"), undefined),
  "an empty array": (mood) => concat([int32(0), int32(0), int32(mood)]),
  "a composite": (mood) => record([INT4, int32(1)], [mood, text("sad")]),
  "an array of composites": (mood, pair) =>
    array(pair, record([mood, undefined], [INT4, int32(2)])),
  "a composite of arrays": (mood) =>
    record([MOODS + mood - MOOD, array(mood, text("happy"))]),
  "an array of types": (mood, pair) => array(REGTYPE, int32(mood), int32(pair)),
};

Deno.test("withMirrorTypes: what Parse declares gets the mirror's OIDs", () => {
  const types = pairOf();
  const sent = concat([parse(INT4, MOOD, 0, MOODS, UNKNOWN, SAME), sync()]);
  const before = sent.slice();
  assert.deepEqual(
    withMirrorTypes(sent, types),
    concat([
      parse(INT4, MOOD + MOVED, 0, MOODS + MOVED, UNKNOWN, SAME),
      sync(),
    ]),
  );
  // What is kept of the session is the client's.
  assert.deepEqual(sent, before);
});

for (const [name, value] of Object.entries(VALUES)) {
  Deno.test(`withMirrorTypes: ${name} that is bound in binary gets the mirror's OIDs`, () => {
    const types = pairOf();
    const theirs = value(MOOD, PAIR);
    const ours = value(MOOD + MOVED, PAIR + MOVED);
    const forms = [[1], [0, 1, 1]];
    for (const formats of forms) {
      const rest = formats.length > 1 ? 1 : 0;
      const first = formats[0] === 1 ? ours : theirs;
      const more = Array.from({ length: 2 * rest }, () => undefined);
      assert.deepEqual(
        withMirrorTypes(bind(formats, theirs, ...more), types),
        bind(formats, first, ...more),
      );
    }
    assert.equal(areTypesKnown(bind([1], theirs), types), true);
    // Cut off it is something else.
    const cut = bind([1], theirs.subarray(0, -1));
    assert.equal(withMirrorTypes(cut, types), cut);
  });
}

Deno.test("withMirrorTypes: messages that name no type that has moved are the same ones", () => {
  const same = new TypePair();
  same.primary.learn([["type", `${MOOD}`, "mood"]]);
  same.mirror.learn([["type", `${MOOD}`, "mood"]]);
  const all = concat([parse(MOOD), bind([1], array(MOOD, text("sad")))]);
  assert.equal(withMirrorTypes(all, same), all);
  const none = concat([
    parse(INT4, UNKNOWN, SAME),
    bind([1], int32(MOOD), text("mood"), undefined, int32(0)),
    bind([], array(MOOD, text("sad"))),
    sync(),
  ]);
  assert.equal(withMirrorTypes(none, pairOf()), none);
});

Deno.test("areTypesKnown: of all own types in messages both servers must have told", () => {
  const types = pairOf();
  assert.equal(areTypesKnown(parse(INT4, MOOD, SAME), types), true);
  assert.equal(areTypesKnown(parse(MOOD, UNKNOWN), types), false);
  assert.equal(
    areTypesKnown(bind([1], array(UNKNOWN, text("x"))), types),
    false,
  );
  assert.equal(
    areTypesKnown(bind([0], array(UNKNOWN, text("x"))), types),
    true,
  );
  assert.equal(areTypesKnown(parse(MOOD), new TypePair()), false);
});

Deno.test("withMirrorTypes: malformed messages go as they came", () => {
  const types = pairOf();
  const bodies = [
    // No end of the name, of the text; types that are not there, that are too many.
    message("P", "s"),
    message("P", "s\0select"),
    message("P", "s\0select 1\0"),
    message("P", "s\0select 1\0", int16(2), int32(MOOD)),
    message("P", "s\0select 1\0", int16(0), int32(MOOD)),
    message("B", "\0s\0", int16(1), int16(1), int16(1), int32(99)),
  ];
  for (const bytes of bodies) {
    assert.equal(withMirrorTypes(bytes, types), bytes);
  }
  const whole = parse(MOOD);
  for (let length = 0; length < whole.length; length++) {
    const cut = whole.slice(0, length);
    assert.equal(withMirrorTypes(cut, types), cut);
  }
});
