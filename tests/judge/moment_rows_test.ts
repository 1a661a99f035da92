import assert from "node:assert/strict";
import { TypePair } from "../../src/catalog/mod.ts";
import { compare } from "../../src/judge/compare.ts";
import type { Moment, Surroundings } from "../../src/judge/surroundings.ts";
import * as d from "../../src/record/mod.ts";
import type { MomentBound } from "../../src/sql/mod.ts";
import { OTHER_SHAPE, type Shape } from "../../src/sql/shape.ts";
import type { Mask } from "../../src/sql/trait.ts";
import { RESULTS } from "../../src/stats/mod.ts";
import { concat, int16, int32, message } from "../support/wire_client.ts";

const TIMESTAMPTZ = 1_184;
const TIMESTAMP = 1_114;

/** From 12:00:00 to 12:00:10, and a minute for the clocks. */
const NOON = Date.UTC(2026, 10, 29, 12) * 1e3;
const WINDOW = { fromUs: NOON - 60e6, toUs: NOON + 70e6 };

const encode = (text: string) => new TextEncoder().encode(text);

type Row = readonly (string | null)[];

function reply(rows: readonly Row[], flags = 0) {
  const messages = rows.map((cells) =>
    message(
      "D",
      int16(cells.length),
      ...cells.map((cell) =>
        cell === null ? int32(-1) : concat([int32(cell.length), encode(cell)])
      ),
    )
  );
  const words = new Uint32Array(d.STATEMENT_WORDS);
  words[d.STATEMENT_KIND] = d.KIND_COMPLETE | d.FLAG_ROWS | flags;
  words[d.STATEMENT_TAG] = d.tagHash("SELECT");
  words[d.STATEMENT_ROWS] = rows.length;
  words[d.STATEMENT_KEPT_ROWS] = rows.length;
  words[d.STATEMENT_ROW_BYTES] = concat(messages).length;
  return { words, at: 0, answer: concat(messages) };
}

interface Options {
  readonly shape?: Partial<Shape>;
  readonly type?: number;
  readonly mask?: Mask;
  readonly bounds?: readonly MomentBound[];
  readonly names?: readonly string[];
  readonly flags?: number;
  readonly around?: Partial<Surroundings>;
}

const LATER: MomentBound = {
  output: "at",
  isLater: true,
  isMoment: true,
};
const EARLIER: MomentBound = { ...LATER, isLater: false };
const AGO: MomentBound = { ...LATER, isMoment: false };

function judge(
  primary: readonly Row[],
  mirror: readonly Row[],
  {
    shape,
    type = TIMESTAMPTZ,
    mask,
    bounds = [LATER],
    names = ["id", "at"],
    flags,
    around,
  }: Options = {},
): string {
  const columns = names.map((name) => ({
    name,
    typeOid: name === "at" ? type : 25,
    isBinary: false,
  }));
  const about: Surroundings = {
    columns: () => columns,
    keys: () => undefined,
    rules: () => ({
      lagUs: 10e6,
      separators: [],
      columns: columns.map((column, i) => ({
        column,
        mask: i === 1 ? mask : undefined,
        form: undefined,
        isFolded: false,
      })),
    }),
    counts: () => "boundary",
    moment: (): Moment => ({ bounds, ...WINDOW }),
    pinned: () => false,
    unique: () => false,
    certain: () => true,
    sortedOtherwise: () => false,
    placesOfRow: () => undefined,
    skipsNumbers: () => false,
    told: () => false,
    concurrentWrite: () => false,
    concurrentKey: () => false,
    concurrentDefinition: () => false,
    causes: () => ({ primary: 0, mirror: 0 }),
    ...around,
  };
  const whole: Shape = {
    ...OTHER_SHAPE,
    isParsed: true,
    counts: [{ rule: "boundary" }],
    ...shape,
  };
  return RESULTS[
    compare(reply(primary, flags), reply(mirror, flags), {
      mode: "rows",
      failedBefore: false,
      types: new TypePair(),
      shape: whole,
      about: () => about,
      onMasked() {},
    })
  ] as string;
}

const at = (time: string): Row => ["1", `2026-11-29 ${time}`];
const other = (id: number, time: string): Row => [
  `${id}`,
  `2026-11-29 ${time}`,
];
/** Ten rows of one time. */
const many = (time: string) =>
  Array.from({ length: 10 }, (_, i) => other(10 + i, time));
const NOW = at("12:00:05+00");
const HOUR = at("13:00:00+00");
const noise = "noise_time_boundary";
const missing = "mismatch_row_count";
const wrong = "mismatch_rows";
const one = { limited: true };

const CASES: readonly [what: string, result: string, () => string][] = [
  ["one ends between the reads", noise, () => judge([NOW], [])],
  ["one begins", noise, () => judge([], [NOW], { bounds: [EARLIER] })],
  ["one that ends in an hour is missing", missing, () => judge([HOUR], [])],
  ["in another zone", noise, () => judge([at("14:30:05+02:30")], [])],
  ["one ends as the clocks allow", noise, () => judge([at("12:01:09+00")], [])],
  ["one ends later", missing, () => judge([at("12:01:11+00")], [])],
  ["one ended before", missing, () => judge([at("11:58:59+00")], [])],
  ["one without an end", missing, () => judge([["1", null]], [])],
  ["one that never ends", missing, () => judge([["1", "infinity"]], [])],
  [
    "one of two that are missing ends in an hour",
    missing,
    () => judge([NOW, other(2, "13:00:00+00")], []),
  ],
  [
    "another row in the place of one that ends",
    wrong,
    () => judge([NOW], [other(2, "12:00:06+00")]),
  ],
  ["a value is wrong", wrong, () => judge([HOUR], [other(2, "13:00:00+00")])],
  [
    "LIMIT: one row of the only",
    noise,
    () => judge([NOW], [], { shape: one }),
  ],
  [
    "LIMIT: one that ends in an hour",
    missing,
    () => judge([HOUR], [], { shape: { ...one, limit: 1 } }),
  ],
  [
    "LIMIT: what it has cut off comes in the place of what has ended",
    "noise_limit",
    () =>
      judge([NOW, HOUR], [HOUR, other(3, "14:00:00+00")], {
        shape: { ...one, limit: 2 },
      }),
  ],
  [
    "LIMIT: two more rows than those, of which one ends now",
    missing,
    () =>
      judge([NOW, HOUR, other(3, "14:00:00+00")], [HOUR], {
        shape: { ...one, limit: 3 },
      }),
  ],
  [
    "beyond rows of both",
    noise,
    () => judge([NOW, other(2, "12:00:06+00")], [other(2, "12:00:06+00")]),
  ],
  [
    "behind a row of both",
    missing,
    () => judge([NOW, other(2, "12:00:04+00")], [other(2, "12:00:04+00")]),
  ],
  [
    "a value is wrong in a row that ends now",
    wrong,
    () =>
      judge([["1", "2026-11-29 12:00:05+00", "a"], [
        "2",
        "2026-11-29 13:00:00+00",
        "a",
      ]], [
        ["1", "2026-11-29 12:00:05+00", "b"],
        ["2", "2026-11-29 13:00:00+00", "a"],
      ], { names: ["id", "at", "v"] }),
  ],
  ["many, as the moments tell", noise, () => judge(many("12:00:05+00"), [])],
  ["many, as clocks alone tell", missing, () => judge(many("12:00:40+00"), [])],
  [
    "timestamp: all or nothing tells nothing",
    missing,
    () => judge([NOW], [], { type: TIMESTAMP }),
  ],
  [
    "timestamp: the first",
    noise,
    () =>
      judge([at("17:30:05"), other(2, "17:31:00")], [other(2, "17:31:00")], {
        type: TIMESTAMP,
      }),
  ],
  [
    "timestamp: the last",
    missing,
    () =>
      judge([at("17:30:05"), other(2, "17:31:00")], [at("17:30:05")], {
        type: TIMESTAMP,
      }),
  ],
  [
    "moved: the first of many",
    noise,
    () =>
      judge([at("09:00:00+00"), other(2, "09:10:00+00")], [
        other(2, "09:10:00+00"),
      ], { bounds: [AGO] }),
  ],
  [
    "moved: one in the middle",
    missing,
    () =>
      judge(
        [
          at("09:00:00+00"),
          other(2, "09:10:00+00"),
          other(3, "09:20:00+00"),
        ],
        [at("09:00:00+00"), other(3, "09:20:00+00")],
        { bounds: [AGO] },
      ),
  ],
  [
    "moved: the first two, further apart than the moments",
    missing,
    () =>
      judge(
        [
          at("09:00:00+00"),
          other(2, "09:05:00+00"),
          other(3, "09:10:00+00"),
        ],
        [other(3, "09:10:00+00")],
        { bounds: [AGO] },
      ),
  ],
  [
    "moved: the last of those that are older",
    noise,
    () =>
      judge([at("09:00:00+00")], [
        at("09:00:00+00"),
        other(2, "09:00:05+00"),
      ], { bounds: [{ ...AGO, isLater: false }] }),
  ],
  [
    "moved: all or nothing tells nothing",
    missing,
    () => judge([NOW], [], { bounds: [AGO] }),
  ],
  [
    "moved: another row in the place of the first",
    wrong,
    () =>
      judge([at("09:00:00+00"), HOUR], [other(2, "09:00:01+00"), HOUR], {
        bounds: [AGO],
      }),
  ],
  [
    "moved: many of one time",
    missing,
    () => judge([...many("09:00:00+00"), HOUR], [HOUR], { bounds: [AGO] }),
  ],
  [
    "between: at either end",
    noise,
    () =>
      judge(
        [
          at("09:00:00+00"),
          other(2, "10:00:00+00"),
        ],
        [other(2, "10:00:00+00"), other(3, "12:00:05+00")],
        {
          bounds: [AGO, EARLIER],
        },
      ),
  ],
  [
    "between: a value is wrong at an end",
    wrong,
    () =>
      judge([["1", "2026-11-29 12:00:05+00", "a"]], [
        ["1", "2026-11-29 12:00:05+00", "b"],
      ], { bounds: [AGO, EARLIER], names: ["id", "at", "v"] }),
  ],
  [
    "two columns of the name: the number decides",
    noise,
    () =>
      judge(
        [
          ["1", "2026-11-29 13:00:00+00", "2026-11-29 13:00:00+00"],
          ["2", "2026-11-29 13:00:00+00", "2026-11-29 13:00:00+00"],
        ],
        [["1", "2026-11-29 13:00:00+00", "2026-11-29 13:00:00+00"]],
        {
          names: ["id", "at", "at"],
        },
      ),
  ],
  [
    "a form that is not read: the number decides",
    noise,
    () => judge([["1", "29.11.2026"], HOUR], [HOUR]),
  ],
  [
    "a column with a mask: the number decides",
    noise,
    () => judge([HOUR, other(2, "13:00:00+00")], [HOUR], { mask: "chance" }),
  ],
  [
    "rows that were cut: the number decides",
    noise,
    () => judge([HOUR, other(2, "13:00:00+00")], [HOUR], { flags: d.FLAG_CUT }),
  ],
  [
    "beside a writer",
    "noise_concurrent_write",
    () => judge([HOUR], [], { around: { concurrentWrite: () => true } }),
  ],
];

Deno.test("rows behind now(): only those whose time has come may differ", async (t) => {
  for (const [what, result, got] of CASES) {
    await t.step(what, () => assert.equal(got(), result));
  }
});
