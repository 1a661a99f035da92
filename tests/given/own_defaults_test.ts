import assert from "node:assert/strict";
import type {
  GivenColumn,
  GivenColumns,
} from "../../src/given/given_columns.ts";
import { type Moment, OwnDefaults } from "../../src/given/own_defaults.ts";
import { DATE, TIMESTAMPTZ } from "../../src/judge/type_oids.ts";

const S = 1_000_000;
const encoder = new TextEncoder();

function column(given: Partial<GivenColumn>): GivenColumn {
  return {
    name: "id",
    type: '"pg_catalog"."int8"',
    typeOid: 20,
    expression: "nextval('s'::regclass)",
    nature: "sequence",
    item: undefined,
    output: 0,
    isAlways: false,
    ...given,
  };
}

const ID = column({});
const AT = column({
  name: "at",
  type: '"pg_catalog"."timestamptz"',
  typeOid: TIMESTAMPTZ,
  expression: "now()",
  nature: "time",
});

interface Told {
  readonly nowUs?: number;
  readonly made?: Moment;
  readonly isUpsert?: boolean;
  readonly session?: number;
}

/** A mirror that is asked for one column and told of values of it. */
class Mirror {
  readonly #defaults = new OwnDefaults();
  readonly #column: GivenColumn;
  isAlone: boolean;

  constructor(column: GivenColumn, isAlone = true) {
    this.#column = column;
    this.isAlone = isAlone;
  }

  get #given(): GivenColumns {
    return {
      oid: "1",
      relation: "t",
      columns: [this.#column],
      outputs: 1,
      positional: [],
      types: new Map(),
      updates: [],
      pairs: [],
    };
  }

  /** Asks, and answers with `own`; null: the mirror refuses. @returns whether it was asked. */
  ask(own: string | null, atUs = 0, isExact = true, session = 1): boolean {
    const inserts = [{ given: this.#given, isExact }];
    const question = this.#defaults.question(inserts, session, atUs);
    if (question === undefined) return false;
    const row = own === null ? undefined : [encoder.encode(own)];
    this.#defaults.answered(question, row);
    return true;
  }

  /** An INSERT of a session was left out: it drew so many numbers. */
  missed(draws: number, session = 1, endUs = 0): void {
    const leftOut = { session, endUs };
    this.#defaults.missed("1", this.#column, draws, leftOut);
  }

  /** What the next question draws: numbers, and caches of sessions; undefined: nothing. */
  drawn(isAnswered = true): string | undefined {
    const inserts = [{ given: this.#given, isExact: true }];
    const question = this.#defaults.question(inserts, 1, 0);
    if (question === undefined) return undefined;
    if (!isAnswered) this.#defaults.unanswered(question);
    return /generate_series\(1, (\d+ \+ \d+)/.exec(question.sql)?.[1];
  }

  told(
    value: string,
    {
      nowUs = 0,
      made = { startUs: nowUs, endUs: nowUs },
      isUpsert = false,
      session = 1,
    }: Told = {},
  ): string | undefined {
    return this.#defaults.objection("1", this.#column, {
      value: encoder.encode(value),
      isBinary: false,
      made,
      session,
      isUpsert,
      isAlone: () => this.isAlone,
    }, nowUs);
  }
}

Deno.test("OwnDefaults: a sequence in step or ahead is asked again after a minute", () => {
  for (const own of ["7", "9"]) {
    const mirror = new Mirror(ID);
    assert.ok(mirror.ask(own));
    assert.equal(mirror.told("7"), undefined);
    assert.equal(mirror.ask("7", 59 * S), false);
    assert.ok(mirror.ask("10", 60 * S));
    assert.equal(mirror.told("10", { nowUs: 60 * S }), undefined);
  }
});

Deno.test("OwnDefaults: a sequence that is behind, until it is mended", () => {
  const mirror = new Mirror(ID);
  mirror.ask("7");
  assert.equal(mirror.told("8"), "behind");
  assert.ok(mirror.ask("8", S));
  assert.equal(mirror.told("9", { nowUs: S }), "behind");
  assert.ok(mirror.ask("10", 2 * S));
  assert.equal(mirror.told("10", { nowUs: 2 * S }), undefined);
});

Deno.test("OwnDefaults: beside other sessions a lower number may come, but not after a minute or two", () => {
  const mirror = new Mirror(ID, false);
  const insert = (own: string, told: string, s: number) => {
    mirror.ask(own, s * S);
    return mirror.told(told, { nowUs: s * S });
  };
  assert.equal(insert("7", "9", 0), undefined);
  assert.equal(insert("7", "12", 59), undefined);
  // A slow transaction: its number comes now.
  assert.equal(insert("9", "7", 90), undefined);
  const never = new Mirror(ID, false);
  for (const [s, own, told] of [[0, 7, 90], [70, 8, 91], [140, 9, 92]]) {
    never.ask(`${own}`, s! * S);
    const expected = s === 140 ? "behind" : undefined;
    assert.equal(never.told(`${told}`, { nowUs: s! * S }), expected, `${s}`);
  }
});

Deno.test("OwnDefaults: a sequence that falls behind once it was in step", () => {
  const mirror = new Mirror(ID, false);
  const found = [0, 70, 140, 210].map((s) => {
    // By ten on the primary, by one on the mirror.
    mirror.ask(`${7 + s / 10}`, s * S);
    return mirror.told(`${7 + s}`, { nowUs: s * S });
  });
  assert.deepEqual(found, [undefined, undefined, undefined, "behind"]);
});

Deno.test("OwnDefaults: what was left out is drawn before the next question, once", () => {
  const mirror = new Mirror(ID);
  mirror.missed(3);
  mirror.missed(2, 2);
  assert.equal(mirror.drawn(), "5 + 2");
  mirror.missed(1, 2);
  // The connection is lost before the answer.
  assert.equal(mirror.drawn(false), "1 + 0");
  assert.equal(mirror.drawn(), "1 + 0");
  assert.equal(mirror.drawn(), undefined);
  assert.equal(mirror.told("8"), undefined);
});

Deno.test("OwnDefaults: a sequence is behind by more than what was left out", () => {
  const mirror = new Mirror(ID);
  mirror.missed(3);
  mirror.ask("7");
  assert.equal(mirror.told("8"), "behind");
});

Deno.test("OwnDefaults: what was left out behind an INSERT makes no sequence in step", () => {
  const mirror = new Mirror(ID);
  // 8 and 9 are drawn for what came behind the INSERT that was told 7.
  mirror.missed(2, 1, 5 * S);
  assert.ok(mirror.ask("8", 6 * S));
  assert.equal(mirror.told("7", { nowUs: 4 * S }), undefined);
  assert.ok(mirror.ask("9", 7 * S), "it is not known to be");
  assert.equal(mirror.told("10", { nowUs: 6 * S }), "behind");
});

Deno.test("OwnDefaults: while not all is drawn that was left out nothing is behind", () => {
  const mirror = new Mirror(ID);
  mirror.missed(250_000);
  assert.equal(mirror.drawn(), "100000 + 1");
  assert.ok(mirror.ask("100"));
  assert.equal(mirror.told("250"), undefined);
  assert.ok(mirror.ask("200"));
  assert.equal(mirror.told("250"), "behind");
});

Deno.test("OwnDefaults: an upsert may be told an older row's number", () => {
  const old = new Mirror(ID);
  old.ask("1");
  // No proof that the sequence is in step: it is asked again at once.
  assert.equal(old.told("1", { isUpsert: true }), undefined);
  assert.ok(old.ask("2"));
  assert.equal(old.told("5001", { isUpsert: true }), "behind");
});

Deno.test("OwnDefaults: what was sent before the INSERT may have drawn", () => {
  const mirror = new Mirror(ID);
  mirror.ask("7", 0, false);
  assert.equal(mirror.told("8"), undefined);
  mirror.ask("8", S);
  assert.equal(mirror.told("9", { nowUs: S }), "behind");
});

Deno.test("OwnDefaults: an answer is held against one INSERT, for the next draw changes it", () => {
  const mirror = new Mirror(ID, false);
  mirror.ask("7");
  assert.equal(mirror.told("8"), undefined);
  mirror.isAlone = true;
  assert.equal(mirror.told("9"), undefined);
});

Deno.test("OwnDefaults: a number within a text", () => {
  const code = column({ type: '"pg_catalog"."text"', typeOid: 25 });
  const mirror = new Mirror(code);
  mirror.ask("A-0020");
  assert.equal(mirror.told("A-0030"), "behind");
  const other = new Mirror(code);
  other.ask("B-0020");
  assert.equal(other.told("A-0020"), "not comparable");
});

Deno.test("OwnDefaults: what the mirror does not tell is not given, and asked for again", () => {
  const mirror = new Mirror(ID);
  mirror.ask(null);
  assert.equal(mirror.told("7"), "not comparable");
  assert.equal(mirror.ask("7", 59 * S), false);
  assert.ok(mirror.ask("7", 60 * S));
  assert.equal(mirror.told("7", { nowUs: 60 * S }), undefined);
});

Deno.test("OwnDefaults: before it is asked, nothing is held against a value", () => {
  assert.equal(new Mirror(ID).told("7"), undefined);
  const chance = new Mirror(column({ nature: "chance" }));
  assert.equal(chance.ask("x"), false);
  assert.equal(chance.told("y"), undefined);
});

Deno.test("OwnDefaults: each session writes its moments in its own time zone", () => {
  const mirror = new Mirror(AT);
  mirror.ask("2026-01-01 10:00:00", 0, true, 1);
  assert.ok(mirror.ask("2026-01-01 19:00:00", 0, true, 2));
  const told = (value: string, session: number) =>
    mirror.told(value, { session });
  assert.equal(told("2026-01-01 10:00:00", 1), undefined);
  assert.equal(told("2026-01-01 19:00:00", 2), undefined);
  assert.equal(told("2026-01-01 19:00:00", 1), "another moment");
  // It may have another one by now, and is asked again.
  assert.ok(mirror.ask("2026-01-01 19:00:00", 0, true, 1));
  assert.equal(told("2026-01-01 19:00:00", 1), undefined);
});

Deno.test("OwnDefaults: a clock is the primary's, or another one", () => {
  const cases: readonly [own: string, told: string, string | undefined][] = [
    ["2026-01-01 10:00:59+00", "2026-01-01 10:00:00+00", undefined],
    ["2026-01-01 10:00:00+00", "2026-01-01 10:00:59+00", undefined],
    ["2026-01-01 12:00:30+02", "2026-01-01 10:00:00+00", undefined],
    ["2026-01-01 10:01:01+00", "2026-01-01 10:00:00+00", "another moment"],
    ["2026-01-01 10:00:00+00", "2026-01-01 10:01:01+00", "another moment"],
    ["2026-01-01 11:00:00", "2026-01-01 10:00:00", "another moment"],
    ["1767261600", "1767261600", "not comparable"],
  ];
  for (const [own, told, expected] of cases) {
    const mirror = new Mirror(AT);
    mirror.ask(own);
    assert.equal(mirror.told(told), expected, `${own} for ${told}`);
  }
});

Deno.test("OwnDefaults: a clock is asked once a minute, and goes on in between", () => {
  const mirror = new Mirror(AT);
  assert.ok(mirror.ask("2026-01-01 10:00:00+00"));
  assert.equal(
    mirror.told("2026-01-01 10:00:50+00", { nowUs: 50 * S }),
    undefined,
  );
  assert.equal(mirror.ask("2026-01-01 10:00:50+00", 50 * S), false);
  // It has stood still on the mirror.
  assert.ok(mirror.ask("2026-01-01 10:00:00+00", 70 * S));
  assert.equal(
    mirror.told("2026-01-01 10:01:10+00", { nowUs: 70 * S }),
    "another moment",
  );
});

Deno.test("OwnDefaults: now() is as old as its transaction", () => {
  const mirror = new Mirror(AT);
  mirror.ask("2026-01-01 10:10:00+00", 600 * S);
  const made = { startUs: 0, endUs: 600 * S };
  assert.equal(
    mirror.told("2026-01-01 10:00:00+00", { nowUs: 600 * S, made }),
    undefined,
  );
  const short = { startUs: 500 * S, endUs: 600 * S };
  assert.equal(
    mirror.told("2026-01-01 10:00:00+00", { nowUs: 600 * S, made: short }),
    "another moment",
  );
});

Deno.test("OwnDefaults: a date tells of a moment no more than its day", () => {
  const day = column({ ...AT, typeOid: DATE, type: '"pg_catalog"."date"' });
  for (
    const [own, expected] of [
      ["2026-01-01", undefined],
      ["2026-01-02", undefined],
      ["2026-01-03", "another moment"],
    ] as const
  ) {
    const mirror = new Mirror(day);
    mirror.ask(own);
    assert.equal(mirror.told("2026-01-01"), expected);
  }
});
