import assert from "node:assert/strict";
import * as d from "../../src/record/mod.ts";
import { compare } from "../../src/judge/compare.ts";
import type {
  ComparisonContext,
  Surroundings,
} from "../../src/judge/surroundings.ts";
import { TypePair } from "../../src/catalog/mod.ts";
import { OTHER_SHAPE, type Shape } from "../../src/sql/shape.ts";
import type { Mask } from "../../src/sql/trait.ts";
import { RESULTS } from "../../src/stats/mod.ts";
import { sqlstate } from "../../src/wire/mod.ts";
import { concat, int16, int32, message } from "../support/wire_client.ts";

const PLAIN: Shape = { ...OTHER_SHAPE, fingerprint: "1", isParsed: true };

const COLUMN = Uint8Array.of(
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  25,
  255,
  255,
  255,
  255,
  255,
  255,
  0,
  0,
);

function describe(...names: string[]): Uint8Array {
  const columns = names.map((name) => concat([bytesOf(`${name}\0`), COLUMN]));
  return message("T", int16(names.length), ...columns);
}

const bytesOf = (text: string) => new TextEncoder().encode(text);

const row = (...cells: string[]) =>
  message(
    "D",
    int16(cells.length),
    ...cells.map((cell) => concat([int32(cell.length), bytesOf(cell)])),
  );

const NAMES = describe("a", "b");
const ROWS = [row("1", "x"), row("2", "x"), row("3", "x")];
const OTHER_ORDER = [1, 0, 2].map((i) => ROWS[i] as Uint8Array);
const OTHER_ROWS = [...ROWS.slice(0, 2), row("3", "y")];

/** A reply of these rows, its words changed as asked. */
function reply(
  changes: Readonly<Record<number, number>> = {},
  rows: readonly Uint8Array[] = ROWS,
  names = NAMES,
) {
  const words = new Uint32Array(d.STATEMENT_WORDS);
  words[d.STATEMENT_KIND] = d.KIND_COMPLETE | d.FLAG_ROWS;
  words[d.STATEMENT_TAG] = d.tagHash("SELECT");
  words[d.STATEMENT_ROWS] = rows.length;
  words[d.STATEMENT_KEPT_ROWS] = rows.length;
  words[d.STATEMENT_ROW_BYTES] = concat(rows).length;
  for (const [at, value] of Object.entries(changes)) words[Number(at)] = value;
  return { words, at: 0, answer: concat([names, ...rows]) };
}

/** A reply of so many rows, their hashes apart. */
function counted(rows: number) {
  return reply({ [d.STATEMENT_ROWS]: rows, [d.STATEMENT_ORDERED]: rows });
}

/** INSERT 0 n. */
function inserted(rows: number) {
  return reply({
    [d.STATEMENT_KIND]: d.KIND_COMPLETE,
    [d.STATEMENT_TAG]: d.tagHash("INSERT"),
    [d.STATEMENT_ROWS]: rows,
  }, []);
}

/** The first rows of a portal: there are more, perhaps. */
function part(rows: number) {
  return reply({
    [d.STATEMENT_KIND]: d.KIND_SUSPENDED | d.FLAG_ROWS,
    [d.STATEMENT_TAG]: 0,
    [d.STATEMENT_ROWS]: rows,
  });
}

function tagged(tag: string) {
  return reply({
    [d.STATEMENT_KIND]: d.KIND_COMPLETE,
    [d.STATEMENT_TAG]: d.tagHash(tag),
    [d.STATEMENT_ROWS]: 0,
  }, []);
}

function error(code: string) {
  return reply({
    [d.STATEMENT_KIND]: d.KIND_ERROR,
    [d.STATEMENT_SQLSTATE]: sqlstate(code),
  });
}

/** Nine rows, of which three are kept. */
const CUT = {
  [d.STATEMENT_KIND]: d.KIND_COMPLETE | d.FLAG_ROWS | d.FLAG_CUT,
  [d.STATEMENT_ROWS]: 9,
  [d.STATEMENT_ROW_BYTES]: 90,
};
const HASHED = { ...CUT, [d.STATEMENT_HASHED_ROWS]: 6 };

const NINE = Array.from({ length: 9 }, (_, i) => row(`${i + 1}`, "x"));
const NINE_OTHERS = [...NINE.slice(0, 8), row("9", "y")];
const PART = [0, 1, 2];
const OTHER_PART = [3, 4, 5];
const columns = () => [{ name: "a", typeOid: 25, isBinary: false }];

/** A reply of nine rows, of which those at `kept` are here. */
function hashed(
  kept: readonly number[],
  all: readonly Uint8Array[],
  ordered = 0,
) {
  const rest = new d.RowHash(Infinity);
  all.forEach((row, i) => {
    if (kept.includes(i)) return;
    rest.add(row, 5, row.length); // behind the header
    rest.end(row.length - 5);
  });
  return reply({
    ...HASHED,
    [d.STATEMENT_KEPT_ROWS]: kept.length,
    [d.STATEMENT_ORDERED]: rest.orderedA + ordered,
    [d.STATEMENT_UNORDERED]: rest.unorderedA,
    [d.STATEMENT_UNORDERED + 1]: rest.unorderedB,
  }, kept.map((i) => all[i] as Uint8Array));
}

/** What stands around a pair, where it is not the usual. */
type Around =
  & Partial<Omit<ComparisonContext, "about" | "onMasked">>
  & Partial<Surroundings>
  & { readonly masks?: readonly (Mask | undefined)[] };

function judge(
  mirror: ReturnType<typeof reply>,
  { masks = [], ...around }: Around = {},
  primary = reply(),
): string {
  const shape = around.shape ?? PLAIN;
  const about: Surroundings = {
    columns: () => undefined,
    keys: () => undefined,
    rules: () => ({
      lagUs: 0,
      separators: [],
      columns: masks.map((mask, i) => ({
        column: { name: `${i}`, typeOid: 25, isBinary: false },
        mask,
        form: undefined,
        isFolded: false,
      })),
    }),
    counts: () => shape.counts[0]?.rule,
    moment: () => undefined,
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
  return RESULTS[
    compare(primary, mirror, {
      mode: "rows",
      failedBefore: false,
      types: new TypePair(),
      ...around,
      shape,
      about: () => about,
      onMasked() {},
    })
  ] as string;
}

const byA = { keys: () => [0] };
const byB = { keys: () => [1] };
const byNobodyKnows = { keys: () => "unknown" as const };
const limited: Shape = { ...PLAIN, limited: true };
const boundary: Shape = { ...PLAIN, counts: [{ rule: "boundary" }] };
const choice: Shape = { ...PLAIN, counts: [{ rule: "choice" }] };
const chance: Shape = { ...PLAIN, counts: [{ rule: "any" }] };
const draw: Shape = { ...PLAIN, counts: [{ rule: "draw" }] };
const aggregates = { shape: { ...boundary, folds: true } };
const sums = (...cells: string[]) => reply({}, [row(...cells)]);
const NULL_ROW = message("D", int16(2), int32(1), "7", int32(-1));
const catalog: Shape = { ...PLAIN, note: "catalog" };
const concurrent = { concurrentWrite: () => true };

const redefined = { concurrentDefinition: () => true };
const NO_COLUMN = error("42703");

const CASES: readonly [what: string, got: () => string, result: string][] = [
  ["equal replies", () => judge(reply()), "match"],
  [
    "an error on one side: no such column",
    () => judge(NO_COLUMN),
    "mismatch_error_on_mirror",
  ],
  [
    "no such column, beside a definition",
    () => judge(NO_COLUMN, redefined),
    "noise_concurrent_write",
  ],
  [
    "no right, beside a definition",
    () => judge(error("42501"), redefined),
    "mismatch_error_on_mirror",
  ],
  [
    "other columns",
    () => judge(reply({ [d.STATEMENT_COLUMNS]: 3 })),
    "mismatch_columns",
  ],
  [
    "other columns, beside a definition",
    () => judge(reply({ [d.STATEMENT_COLUMNS]: 3 }), redefined),
    "noise_concurrent_write",
  ],
  [
    "other rows, beside a definition",
    () => judge(reply({}, OTHER_ROWS), redefined),
    "mismatch_rows",
  ],
  [
    "another order without ORDER BY",
    () => judge(reply({}, OTHER_ORDER)),
    "match_unordered",
  ],
  [
    "another order under ORDER BY",
    () => judge(reply({}, OTHER_ORDER), byA),
    "mismatch_rows",
  ],
  [
    "another order among ties",
    () => judge(reply({}, OTHER_ORDER), byB),
    "match_unordered",
  ],
  [
    "another row among ties",
    () => judge(reply({}, [...OTHER_ORDER.slice(0, 2), row("4", "x")]), byB),
    "mismatch_rows",
  ],
  [
    "a group of ties in another place",
    () =>
      judge(
        reply({}, [row("1", "y"), row("1", "x"), row("2", "x")]),
        byB,
        reply({}, [row("1", "x"), row("2", "x"), row("1", "y")]),
      ),
    "mismatch_rows",
  ],
  [
    "another order by a key that is not selected",
    () => judge(reply({}, OTHER_ORDER), byNobodyKnows),
    "noise_ties",
  ],
  [
    "other rows by a key that is not selected",
    () => judge(reply({}, OTHER_ROWS), byNobodyKnows),
    "mismatch_rows",
  ],
  ["other rows", () => judge(reply({}, OTHER_ROWS)), "mismatch_rows"],
  [
    "another value in a masked column",
    () => judge(reply({}, OTHER_ROWS), { masks: [undefined, "chance"] }),
    "match_masked",
  ],
  [
    "another value beside a masked column",
    () => judge(reply({}, OTHER_ROWS), { masks: ["chance"] }),
    "mismatch_rows",
  ],
  [
    "equal values in a masked column",
    () => judge(reply(), { masks: ["chance", "chance"] }),
    "match",
  ],
  [
    "another value at a boundary of time",
    () => judge(reply({}, OTHER_ROWS), { masks: [undefined, "boundary"] }),
    "noise_time_boundary",
  ],
  [
    "another row of equal right",
    () => judge(reply({}, OTHER_ROWS), { masks: [undefined, "choice"] }),
    "noise_limit",
  ],
  [
    "other rows of a catalog",
    () => judge(reply({}, OTHER_ROWS), { shape: catalog }),
    "note_catalog",
  ],
  [
    "a row more of a catalog",
    () => judge(counted(4), { shape: catalog }),
    "note_catalog",
  ],
  [
    "other columns of a catalog",
    () => judge(reply({}, ROWS, describe("a", "c")), { shape: catalog }),
    "note_catalog",
  ],
  [
    "an error of a catalog",
    () => judge(error("42703"), { shape: catalog }),
    "mismatch_error_on_mirror",
  ],
  [
    "an object that is not there by its OID",
    () => judge(error("42P01"), { shape: { ...PLAIN, note: "object" } }),
    "note_catalog",
  ],
  [
    "a function that is not there, asked by an OID",
    () => judge(error("42883"), { shape: { ...PLAIN, note: "object" } }),
    "mismatch_error_on_mirror",
  ],
  [
    "another plan",
    () =>
      judge(reply({}, [...ROWS.slice(0, 2), row("z", "x")]), {
        shape: { ...PLAIN, note: "plan" },
      }),
    "note_plan",
  ],
  [
    "a plan of other costs",
    () => judge(reply({}, OTHER_ORDER), { shape: { ...PLAIN, note: "plan" } }),
    "match_masked",
  ],
  [
    "other rows beside a concurrent write",
    () => judge(reply({}, OTHER_ROWS), concurrent),
    "noise_concurrent_write",
  ],
  [
    "a row more",
    () => judge(reply({}, [...ROWS, row("4", "x")])),
    "mismatch_row_count",
  ],
  [
    "a row more of masked columns",
    () => judge(counted(4), { masks: ["chance", "chance"] }),
    "mismatch_row_count",
  ],
  [
    "UPDATE 0 against 1",
    () =>
      judge(
        reply({ [d.STATEMENT_KIND]: d.KIND_COMPLETE, [d.STATEMENT_ROWS]: 0 }),
        {},
        reply({ [d.STATEMENT_KIND]: d.KIND_COMPLETE, [d.STATEMENT_ROWS]: 1 }),
      ),
    "mismatch_command_tag",
  ],
  [
    "a row more at a boundary of time",
    () => judge(counted(4), { shape: boundary }),
    "noise_time_boundary",
  ],
  [
    "a tenth less of many at a boundary of time",
    () => judge(counted(91), { shape: boundary }, counted(101)),
    "noise_time_boundary",
  ],
  [
    "half of many at a boundary of time",
    () => judge(counted(50), { shape: boundary }, counted(100)),
    "mismatch_row_count",
  ],
  [
    "no row against one at a boundary of time",
    () => judge(counted(0), { shape: boundary }, counted(1)),
    "mismatch_row_count",
  ],
  [
    "another row behind a LIMIT at a boundary of time, by a key that sorts it",
    () =>
      judge(reply({}, OTHER_ROWS), {
        shape: { ...boundary, limited: true, limit: 3 },
        unique: () => true,
      }),
    "noise_time_boundary",
  ],
  [
    "another value in a row of the same key behind a LIMIT at a boundary of time",
    () =>
      judge(reply({}, OTHER_ROWS), {
        shape: { ...boundary, limited: true, limit: 3 },
        unique: () => true,
        placesOfRow: () => [0, 1],
      }),
    "mismatch_rows",
  ],
  [
    "another row behind a LIMIT that is not reached at a boundary of time",
    () =>
      judge(reply({}, OTHER_ROWS), {
        shape: { ...boundary, limited: true, limit: 4 },
        unique: () => true,
      }),
    "mismatch_rows",
  ],
  [
    "another row at a boundary of time, by a key that is held to a value",
    () =>
      judge(reply({}, OTHER_ROWS), {
        shape: { ...boundary, limited: true, limit: 3 },
        unique: () => true,
        pinned: () => true,
      }),
    "mismatch_rows",
  ],
  [
    "other counts behind a choice within",
    () => judge(counted(9), { shape: choice }),
    "noise_limit",
  ],
  [
    "another count of rows at a boundary of time",
    () => judge(sums("19", "x"), aggregates, sums("20", "x")),
    "noise_time_boundary",
  ],
  [
    "half the count of rows at a boundary of time",
    () => judge(sums("10", "x"), aggregates, sums("20", "x")),
    "mismatch_rows",
  ],
  [
    "half the count of rows at a boundary of time, behind another value",
    () => judge(sums("y", "10"), aggregates, sums("x", "20")),
    "mismatch_rows",
  ],
  [
    "half the count in the second of two rows at a boundary of time",
    () =>
      judge(
        reply({}, [row("a", "20"), row("b", "10")]),
        aggregates,
        reply({}, [row("a", "21"), row("b", "20")]),
      ),
    "mismatch_rows",
  ],
  [
    "a sum at a boundary of time that is NULL",
    () =>
      judge(reply({}, [NULL_ROW]), aggregates, reply({}, [row("7", "7.5")])),
    "mismatch_rows",
  ],
  [
    "another sum at a boundary of time",
    () => judge(sums("7", "3.5"), aggregates, sums("7", "7.5")),
    "noise_time_boundary",
  ],
  [
    "another group of a number at a boundary of time",
    () =>
      judge(sums("9", "1"), {
        ...aggregates,
        masks: [undefined, undefined],
      }, sums("5", "3")),
    "noise_time_boundary",
  ],
  [
    "other names of all groups at a boundary of time",
    () =>
      judge(
        reply({}, ["c", "d"].map((name) => row(name, "7"))),
        aggregates,
        reply({}, ["a", "b"].map((name) => row(name, "7"))),
      ),
    "mismatch_rows",
  ],
  [
    "no row against some behind a choice within",
    () => judge(counted(0), { shape: choice }),
    "mismatch_row_count",
  ],
  [
    "a row more by chance",
    () => judge(counted(4), { shape: chance }),
    "noise_volatile",
  ],
  [
    "no row against some by chance",
    () => judge(counted(0), { shape: chance }),
    "mismatch_row_count",
  ],
  [
    "some rows against none by chance",
    () => judge(reply(), { shape: chance }, counted(0)),
    "mismatch_row_count",
  ],
  [
    "no row against some by a draw",
    () => judge(counted(0), { shape: draw }),
    "noise_volatile",
  ],
  [
    "another value beside a choice within",
    () => judge(reply({}, OTHER_ROWS), { shape: choice, masks: ["choice"] }),
    "mismatch_rows",
  ],
  [
    "another value of a choice within",
    () =>
      judge(reply({}, OTHER_ROWS), {
        shape: choice,
        masks: [undefined, "choice"],
      }),
    "noise_limit",
  ],
  [
    "another sum of what a choice within left",
    () => judge(reply({}, OTHER_ROWS), { shape: { ...choice, folds: true } }),
    "noise_limit",
  ],
  [
    "other rows that chance has let through",
    () => judge(reply({}, OTHER_ROWS), { shape: chance }),
    "noise_volatile",
  ],
  [
    "another value in a row of a unique key that chance has let through",
    () => judge(reply({}, OTHER_ROWS), { shape: chance, unique: () => true }),
    "mismatch_rows",
  ],
  [
    "other rows under a LIMIT without an order",
    () =>
      judge(reply({}, OTHER_ROWS), {
        shape: { ...PLAIN, limited: true, limit: 3 },
      }),
    "noise_limit",
  ],
  [
    "other rows, fewer than the LIMIT",
    () =>
      judge(reply({}, OTHER_ROWS), {
        shape: { ...PLAIN, limited: true, limit: 4 },
      }),
    "mismatch_rows",
  ],
  [
    "other rows that a unique key pins under a LIMIT",
    () =>
      judge(reply({}, OTHER_ROWS), {
        shape: { ...PLAIN, limited: true, limit: 3 },
        unique: () => true,
      }),
    "mismatch_rows",
  ],
  [
    "a row less under a LIMIT",
    () => judge(counted(2), { shape: { ...PLAIN, limited: true, limit: 3 } }),
    "mismatch_row_count",
  ],
  [
    "other rows by a key that is not selected under a LIMIT",
    () =>
      judge(reply({}, [row("7", "z"), row("8", "z"), row("9", "z")]), {
        ...byNobodyKnows,
        shape: { ...PLAIN, orderBy: null, limited: true, limit: 3 },
      }),
    "noise_ties",
  ],
  [
    "a row less by a key that is not selected under a LIMIT",
    () =>
      judge(reply({}, ROWS.slice(0, 2)), {
        ...byNobodyKnows,
        shape: { ...PLAIN, orderBy: null, limited: true, limit: 3 },
      }),
    "mismatch_row_count",
  ],
  [
    "other rows by a key that is not selected, fewer than the LIMIT",
    () =>
      judge(reply({}, OTHER_ROWS), {
        ...byNobodyKnows,
        shape: { ...PLAIN, orderBy: null, limited: true, limit: 4 },
      }),
    "mismatch_rows",
  ],
  [
    "another order by a key that is not selected",
    () => judge(reply({}, OTHER_ORDER), byNobodyKnows),
    "noise_ties",
  ],
  [
    "another order by such a key of rows that the mirror was told",
    () => judge(reply({}, OTHER_ORDER), { ...byNobodyKnows, told: () => true }),
    "match_unordered",
  ],
  [
    "another order by a unique key of such rows",
    () =>
      judge(reply({}, OTHER_ORDER), {
        ...byNobodyKnows,
        told: () => true,
        unique: () => true,
      }),
    "mismatch_rows",
  ],
  [
    "another order by such a key, which the mirror sorts otherwise",
    () =>
      judge(reply({}, OTHER_ORDER), {
        ...byNobodyKnows,
        sortedOtherwise: () => true,
      }),
    "mismatch_rows",
  ],
  [
    "other rows by such a key under a LIMIT",
    () =>
      judge(reply({}, OTHER_ROWS), {
        ...byNobodyKnows,
        shape: limited,
        sortedOtherwise: () => true,
      }),
    "mismatch_rows",
  ],
  [
    "another order among ties of a key that is selected and sorted otherwise",
    () =>
      judge(reply({}, OTHER_ORDER), { ...byB, sortedOtherwise: () => true }),
    "match_unordered",
  ],
  [
    "other rows of such a key's last ties under a LIMIT",
    () =>
      judge(reply({}, [...OTHER_ORDER.slice(0, 2), row("4", "x")]), {
        ...byB,
        shape: limited,
        sortedOtherwise: () => true,
      }),
    "noise_ties",
  ],
  [
    "other rows by a unique key that is not selected under a LIMIT",
    () =>
      judge(reply({}, OTHER_ROWS), {
        ...byNobodyKnows,
        shape: { ...PLAIN, orderBy: null, limited: true, limit: 3 },
        unique: () => true,
      }),
    "mismatch_rows",
  ],
  [
    "other rows, fewer than the LIMIT, among ties",
    () =>
      judge(reply({}, OTHER_ROWS), {
        ...byB,
        shape: { ...PLAIN, orderBy: ["b"], limited: true, limit: 4 },
      }),
    "mismatch_rows",
  ],
  [
    "a row more beside a concurrent write",
    () => judge(reply({}, [...ROWS, row("4", "x")]), concurrent),
    "noise_concurrent_write",
  ],
  [
    "another count in a tag without rows",
    () =>
      judge(
        reply({ [d.STATEMENT_KIND]: d.KIND_COMPLETE, [d.STATEMENT_ROWS]: 4 }),
        {},
        reply({ [d.STATEMENT_KIND]: d.KIND_COMPLETE }),
      ),
    "mismatch_command_tag",
  ],
  [
    "another count of a text that nobody can read",
    () => judge(inserted(1), { shape: OTHER_SHAPE }, inserted(5_000)),
    "mismatch_command_tag",
  ],
  [
    "the same count of it",
    () => judge(inserted(5_000), { shape: OTHER_SHAPE }, inserted(5_000)),
    "match",
  ],
  [
    "another tag",
    () => judge(reply({ [d.STATEMENT_TAG]: d.tagHash("INSERT") })),
    "mismatch_command_tag",
  ],
  [
    "other columns",
    () => judge(reply({}, ROWS, describe("a", "c"))),
    "mismatch_columns",
  ],
  [
    "a suspended portal",
    () => judge(reply({ [d.STATEMENT_KIND]: d.KIND_SUSPENDED | d.FLAG_ROWS })),
    "mismatch_row_count",
  ],
  ["the same error", () => judge(error("23505"), {}, error("23505")), "match"],
  [
    "another error",
    () => judge(error("23503"), {}, error("23505")),
    "mismatch_sqlstate",
  ],
  [
    "an error on the mirror",
    () => judge(error("42P01")),
    "mismatch_error_on_mirror",
  ],
  [
    "an error on the primary",
    () => judge(reply(), {}, error("42P01")),
    "mismatch_error_on_primary",
  ],
  ["a deadlock on one side", () => judge(error("40P01")), "noise_concurrency"],
  [
    "a lock timeout on the other",
    () => judge(reply(), {}, error("55P03")),
    "noise_concurrency",
  ],
  [
    "what follows an error",
    () => judge(error("25P02"), { failedBefore: true }),
    "skipped_cascade",
  ],
  [
    "a COMMIT that rolls back behind an error",
    () => judge(tagged("ROLLBACK"), { failedBefore: true }, tagged("COMMIT")),
    "skipped_cascade",
  ],
  [
    "a COMMIT that rolls back on the primary behind an error",
    () => judge(tagged("COMMIT"), { failedBefore: true }, tagged("ROLLBACK")),
    "skipped_cascade",
  ],
  [
    "a COMMIT that rolls back out of nowhere",
    () => judge(tagged("ROLLBACK"), {}, tagged("COMMIT")),
    "mismatch_command_tag",
  ],
  [
    "another tag behind an error",
    () => judge(tagged("INSERT"), { failedBefore: true }, tagged("COMMIT")),
    "mismatch_command_tag",
  ],
  [
    "a statement that its Parse has not prepared on the mirror, once more",
    () =>
      judge(error("26000"), {
        causes: () => ({ primary: 0, mirror: sqlstate("42P01") }),
      }),
    "mismatch_error_on_mirror",
  ],
  [
    "a statement that its Parse has not prepared on the primary, once more",
    () =>
      judge(reply(), {
        causes: () => ({ primary: sqlstate("42P01"), mirror: 0 }),
      }, error("26000")),
    "mismatch_error_on_primary",
  ],
  [
    "a statement that its Parse has prepared on neither, once more",
    () =>
      judge(error("26000"), {
        causes: () => ({
          primary: sqlstate("42P01"),
          mirror: sqlstate("42P01"),
        }),
      }, error("42P01")),
    "match",
  ],
  [
    "a statement that is not prepared, behind its Parse in the same transaction",
    () =>
      judge(error("26000"), {
        failedBefore: true,
        causes: () => ({ primary: 0, mirror: sqlstate("42P01") }),
      }),
    "skipped_cascade",
  ],
  [
    "no row against the first one of a portal",
    () => judge(counted(0), {}, part(1)),
    "mismatch_row_count",
  ],
  [
    "the first row of a portal against none",
    () => judge(part(1), {}, counted(0)),
    "mismatch_row_count",
  ],
  [
    "25P02 out of nowhere",
    () => judge(error("25P02")),
    "mismatch_error_on_mirror",
  ],
  [
    "rows with comparing by shape",
    () => judge(reply({}, OTHER_ROWS), { mode: "shape" }),
    "match",
  ],
  [
    "columns with comparing by shape",
    () => judge(reply({}, ROWS, describe("a", "c")), { mode: "shape" }),
    "mismatch_columns",
  ],
  [
    "columns that were hashed",
    () => judge(reply({ [d.STATEMENT_COLUMNS]: 12 })),
    "mismatch_columns",
  ],
  [
    "rows with comparing off",
    () => judge(reply({}, OTHER_ROWS), { mode: "off" }),
    "skipped_compare_off",
  ],
  [
    "an error with comparing off",
    () => judge(error("42P01"), { mode: "off" }),
    "mismatch_error_on_mirror",
  ],
  [
    "a part of many rows in any order",
    () => judge(reply(CUT, OTHER_ROWS), {}, reply(CUT)),
    "skipped_too_large",
  ],
  [
    "many rows of another size",
    () => judge(reply({ ...CUT, [d.STATEMENT_ROW_BYTES]: 91 }), {}, reply(CUT)),
    "mismatch_rows",
  ],
  [
    "many rows of another size with a masked column",
    () =>
      judge(
        reply({ ...CUT, [d.STATEMENT_ROW_BYTES]: 91 }),
        { masks: [undefined, "time"] },
        reply(CUT),
      ),
    "skipped_too_large",
  ],
  [
    "many ordered rows of another size with a masked column",
    () =>
      judge(
        reply({ ...CUT, [d.STATEMENT_ROW_BYTES]: 91 }, OTHER_ROWS),
        { ...byA, masks: [undefined, "chance"] },
        reply(CUT),
      ),
    "skipped_too_large",
  ],
  [
    "another value beside a masked column of many ordered rows",
    () =>
      judge(
        reply({ ...CUT, [d.STATEMENT_ROW_BYTES]: 91 }, [
          row("0", "y"),
          ...ROWS.slice(1),
        ]),
        { ...byA, masks: [undefined, "chance"] },
        reply(CUT),
      ),
    "mismatch_rows",
  ],
  [
    "many rows sorted by a masked column",
    () =>
      judge(
        reply({ ...CUT, [d.STATEMENT_ROW_BYTES]: 91 }, OTHER_ROWS),
        { ...byA, masks: ["numbered"] },
        reply(CUT),
      ),
    "skipped_too_large",
  ],
  [
    "many rows of another size behind a boundary of time",
    () =>
      judge(
        reply({ ...CUT, [d.STATEMENT_ROW_BYTES]: 91 }),
        { shape: boundary },
        reply(CUT),
      ),
    "skipped_too_large",
  ],
  [
    "a row more of many with a masked column",
    () =>
      judge(
        reply({ ...CUT, [d.STATEMENT_ROWS]: 10 }),
        { masks: [undefined, "time"] },
        reply(CUT),
      ),
    "mismatch_row_count",
  ],
  [
    "a part of many ordered rows",
    () => judge(reply(CUT, [row("0", "x"), ...ROWS.slice(1)]), byA, reply(CUT)),
    "mismatch_rows",
  ],
  [
    "a part of a group of ties",
    () => judge(reply(CUT, OTHER_ROWS), byB, reply(CUT, [row("3", "x")])),
    "skipped_too_large",
  ],
  [
    "an equal part of rows beyond the bound",
    () => judge(reply(CUT), {}, reply(CUT)),
    "skipped_too_large",
  ],
  [
    "many rows in another order",
    () => judge(hashed(OTHER_PART, NINE), { columns }, hashed(PART, NINE)),
    "match_unordered",
  ],
  [
    "another value in many rows, of the same size",
    () =>
      judge(hashed(OTHER_PART, NINE_OTHERS), { columns }, hashed(PART, NINE)),
    "mismatch_rows",
  ],
  [
    "another value in the first of many rows, of the same size",
    () =>
      judge(
        hashed([0, 1, 2], NINE_OTHERS.toReversed()),
        { columns },
        hashed([6, 7, 8], NINE),
      ),
    "mismatch_rows",
  ],
  [
    "many sorted rows, of which the last came in another order",
    () =>
      judge(
        hashed(PART, NINE, 1),
        { columns, ...byA },
        hashed(PART, NINE),
      ),
    "skipped_too_large",
  ],
  [
    "another value in many sorted rows",
    () =>
      judge(
        hashed(PART, NINE_OTHERS),
        { columns, ...byA },
        hashed(PART, NINE),
      ),
    "mismatch_rows",
  ],
  [
    "another value in many rows, of which a LIMIT keeps some",
    () =>
      judge(
        hashed(PART, NINE_OTHERS),
        { columns, shape: limited },
        hashed(PART, NINE),
      ),
    "skipped_too_large",
  ],
  [
    "another value in many rows that hold OIDs of types",
    () =>
      judge(
        hashed(PART, NINE_OTHERS),
        { columns: () => [{ name: "a", typeOid: 2206, isBinary: true }] },
        hashed(PART, NINE),
      ),
    "skipped_too_large",
  ],
  [
    "rows whose rest has equal hashes",
    () => judge(reply(HASHED), {}, reply(HASHED)),
    "match",
  ],
  [
    "rows whose rest has other hashes",
    () =>
      judge(reply({ ...HASHED, [d.STATEMENT_ORDERED]: 1 }), {}, reply(HASHED)),
    "skipped_too_large",
  ],
  [
    "other rows of a statement that nobody knows",
    () => judge(reply({}, OTHER_ROWS), { shape: OTHER_SHAPE }),
    "skipped_unparsed",
  ],
  [
    "equal rows of a statement that nobody knows",
    () => judge(reply(), { shape: OTHER_SHAPE }),
    "match",
  ],
  [
    "other rows at the cut of a LIMIT among ties",
    () =>
      judge(reply({}, [...ROWS.slice(0, 2), row("9", "x")]), {
        ...byB,
        shape: limited,
      }),
    "noise_ties",
  ],
  [
    "other rows before the cut of a LIMIT",
    () =>
      judge(reply({}, [row("0", "x"), ...ROWS.slice(1)]), {
        ...byA,
        shape: limited,
      }),
    "mismatch_rows",
  ],
  [
    "another key at the cut of a LIMIT",
    () => judge(reply({}, OTHER_ROWS), { ...byB, shape: limited }),
    "mismatch_rows",
  ],
  [
    "an error that ends the session on one side only",
    () => {
      const fatal = {
        [d.STATEMENT_KIND]: d.KIND_ERROR | d.FLAG_FATAL,
        [d.STATEMENT_SQLSTATE]: sqlstate("57P01"),
      };
      return judge(reply(fatal), {}, error("57P01"));
    },
    "mismatch_sqlstate",
  ],
];

for (const [what, got, result] of CASES) {
  Deno.test(`compare: ${what} is ${result}`, () => {
    assert.equal(got(), result);
  });
}
