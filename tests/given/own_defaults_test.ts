import assert from "node:assert/strict";
import type {
  GivenColumn,
  GivenColumns,
} from "../../src/given/given_columns.ts";
import { OwnDefaults } from "../../src/given/own_defaults.ts";
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

/** A mirror that is asked for one column and told of values of it. */
class Session {
  readonly #defaults = new OwnDefaults();
  readonly #column: GivenColumn;
  readonly #isAlone: boolean;

  constructor(column: GivenColumn, isAlone = true) {
    this.#column = column;
    this.#isAlone = isAlone;
  }

  get #given(): GivenColumns {
    return {
      oid: "1",
      relation: "t",
      columns: [this.#column],
      outputs: 1,
      positional: [],
    };
  }

  /** Asks, and answers with `own`; null: the mirror refuses. @returns whether it was asked. */
  ask(own: string | null, atUs = 0, isExact = true, slack = "0"): boolean {
    const inserts = [{ given: this.#given, isExact }];
    const question = this.#defaults.question(inserts, atUs);
    if (question === undefined) return false;
    const row = own === null
      ? undefined
      : [own, slack].map((text) => encoder.encode(text));
    this.#defaults.answered(question, row);
    return true;
  }

  told(
    value: string,
    nowUs = 0,
    made = { startUs: nowUs, endUs: nowUs },
  ): string | undefined {
    return this.#defaults.objection(
      "1",
      this.#column,
      {
        value: encoder.encode(value),
        isBinary: false,
        made,
        isAlone: () => this.#isAlone,
      },
      nowUs,
    );
  }
}

Deno.test("OwnDefaults: a sequence in step or ahead is asked once, and never again", () => {
  for (const own of ["7", "9"]) {
    const session = new Session(ID);
    assert.ok(session.ask(own));
    assert.equal(session.told("7"), undefined);
    assert.equal(session.ask("7", 1_000 * S), false);
    // Whatever others have drawn by then.
    assert.equal(session.told("900", 1_000 * S), undefined);
  }
});

Deno.test("OwnDefaults: a sequence that is behind, until it is mended", () => {
  const session = new Session(ID);
  session.ask("7");
  assert.equal(session.told("8"), "behind");
  assert.equal(session.ask("8", 30 * S), false);
  assert.ok(session.ask("8", 61 * S));
  assert.equal(session.told("9", 61 * S), "behind");
  assert.ok(session.ask("10", 122 * S));
  assert.equal(session.told("10", 122 * S), undefined);
  assert.equal(session.ask("11", 1_000 * S), false);
});

Deno.test("OwnDefaults: beside other sessions a lower number may come for a minute", () => {
  const late = new Session(ID, false);
  late.ask("7");
  assert.equal(late.told("9"), undefined);
  assert.equal(late.told("7", 59 * S), undefined);
  assert.equal(late.told("12", 90 * S), undefined);
  const never = new Session(ID, false);
  never.ask("7");
  assert.equal(never.told("9"), undefined);
  assert.equal(never.told("12", 61 * S), "behind");
});

Deno.test("OwnDefaults: what was sent before the INSERT may have drawn", () => {
  const session = new Session(ID);
  session.ask("7", 0, false);
  assert.equal(session.told("8"), undefined);
  assert.equal(session.told("8", 61 * S), "behind");
});

Deno.test("OwnDefaults: a number within a text, and a sequence that gives blocks of ten", () => {
  const code = column({ type: '"pg_catalog"."text"', typeOid: 25 });
  const session = new Session(code);
  session.ask("A-0020", 0, true, "9");
  assert.equal(session.told("A-0030"), "behind");
  assert.equal(session.told("A-0029"), undefined);
  const other = new Session(code);
  other.ask("B-0020");
  assert.equal(other.told("A-0020"), "not comparable");
});

Deno.test("OwnDefaults: what the mirror does not tell is not given, and asked for again", () => {
  const session = new Session(ID);
  session.ask(null);
  assert.equal(session.told("7"), "not comparable");
  assert.ok(session.ask("7", 61 * S));
  assert.equal(session.told("7", 61 * S), undefined);
});

Deno.test("OwnDefaults: before it is asked, nothing is held against a value", () => {
  assert.equal(new Session(ID).told("7"), undefined);
  const chance = new Session(column({ nature: "chance" }));
  assert.equal(chance.ask("x"), false);
  assert.equal(chance.told("y"), undefined);
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
    const session = new Session(AT);
    session.ask(own);
    assert.equal(session.told(told), expected, `${own} for ${told}`);
  }
});

Deno.test("OwnDefaults: a clock is asked once a minute, and goes on in between", () => {
  const session = new Session(AT);
  assert.ok(session.ask("2026-01-01 10:00:00+00"));
  assert.equal(session.told("2026-01-01 10:00:50+00", 50 * S), undefined);
  assert.equal(session.ask("2026-01-01 10:00:50+00", 50 * S), false);
  // It has stood still on the mirror.
  assert.ok(session.ask("2026-01-01 10:00:00+00", 70 * S));
  assert.equal(
    session.told("2026-01-01 10:01:10+00", 70 * S),
    "another moment",
  );
});

Deno.test("OwnDefaults: now() is as old as its transaction", () => {
  const session = new Session(AT);
  session.ask("2026-01-01 10:10:00+00", 600 * S);
  const made = { startUs: 0, endUs: 600 * S };
  assert.equal(
    session.told("2026-01-01 10:00:00+00", 600 * S, made),
    undefined,
  );
  const short = { startUs: 500 * S, endUs: 600 * S };
  assert.equal(
    session.told("2026-01-01 10:00:00+00", 600 * S, short),
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
    const session = new Session(day);
    session.ask(own);
    assert.equal(session.told("2026-01-01"), expected);
  }
});
