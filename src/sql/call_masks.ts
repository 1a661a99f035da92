import type { Remask } from "./trait.ts";

/** They give of a list what does not depend on its order. */
const SIZES: Remask = { permuted: null, ties: null, numbered: null };
/** They keep a list's elements, or put it into a larger one. */
const LISTS: Remask = {
  time: "moment",
  age: "moment",
  numbered: "choice",
};
/** They keep a moment. */
const MOMENTS: Remask = {
  permuted: "choice",
  ties: "choice",
  numbered: "choice",
  sequence: "sequence",
};
/** They keep the size of a number. */
const ROUNDED: Remask = {
  ...MOMENTS,
  time: "moment",
  sequence: "chance",
};
/** They count values that are not NULL. */
const COUNTS: Remask = {
  float: null,
  permuted: null,
  ties: null,
  numbered: null,
  time: null,
  age: null,
  sequence: null,
  moment: null,
  chance: null,
};

const TABLES: readonly [Remask, string][] = [
  [SIZES, "cardinality array_length json_array_length jsonb_array_length"],
  [
    LISTS,
    `array_agg string_agg json_agg jsonb_agg json_object_agg jsonb_object_agg
     xmlagg array_to_string array_to_json to_json to_jsonb row_to_json
     json_build_object jsonb_build_object json_build_array jsonb_build_array
     json_strip_nulls jsonb_strip_nulls jsonb_pretty array_cat array_append
     array_prepend jsonb_set`,
  ],
  [
    MOMENTS,
    `min max any_value mode percentile_cont percentile_disc timezone date
     timestamp timestamptz age`,
  ],
  [ROUNDED, "floor ceil ceiling round trunc abs"],
  [COUNTS, "count"],
];

const BY_NAME: ReadonlyMap<string, Remask> = new Map(
  TABLES.flatMap(([table, names]) =>
    names.split(/\s+/).map((name) => [name, table] as const)
  ),
);

/** What a function does to masks of its arguments; undefined: it computes from them. */
export function remaskOfCall(name: string): Remask | undefined {
  return BY_NAME.get(name);
}

/** Types that a list keeps its elements in, as the grammar names them. */
export const WHOLE_LIST: ReadonlySet<string> = new Set([
  "text",
  "varchar",
  "json",
  "jsonb",
  "xml",
]);
