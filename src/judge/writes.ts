import {
  type PinnedValue,
  type TouchedRows,
  valueOf,
} from "../sql/pinned_values.ts";
import type { Definition } from "../sql/mod.ts";
import type { Shape } from "../sql/shape.ts";

/** Rows of one relation that are remembered of a transaction; beyond them it may have written any. */
const MAX_ROWS = 64;

/** What a transaction wrote: of each relation certain rows, or any. */
export class Writes {
  readonly #relations = new Map<string, TouchedRows[] | "any">();
  #isAnywhere = false;
  /** Relations whose definitions it has changed, so that others see it, or any. */
  #defined: Set<string> | "all" = new Set();

  /** Takes a statement. @param rows that it touches, if that is known. */
  add({ writes }: Pick<Shape, "writes">, rows?: TouchedRows): void {
    for (const relation of writes) {
      const known = this.#relations.get(relation);
      if (known === "any") continue;
      if (relation !== rows?.relation || known?.length === MAX_ROWS) {
        this.#relations.set(relation, "any");
      } else if (known === undefined) this.#relations.set(relation, [rows]);
      else known.push(rows);
    }
  }

  /** Takes what a statement wrote that its text does not name: relations, of which it may have written any rows. */
  addBehind(relations: readonly string[] | "all"): void {
    if (relations === "all") this.#isAnywhere = true;
    else for (const one of relations) this.#relations.set(one, "any");
  }

  /** Takes a definition. */
  addDefinition({ rows, relations }: Definition): void {
    this.addBehind(rows);
    if (relations === "all") this.#defined = "all";
    else if (this.#defined !== "all") {
      for (const one of relations) this.#defined.add(one);
    }
  }

  /** Whether it may have changed the definition of one of these relations. */
  defines(relations: readonly string[] | "all"): boolean {
    const defined = this.#defined;
    if (defined === "all") return true;
    return relations === "all"
      ? defined.size > 0
      : relations.some((one) => defined.has(one));
  }

  /**
   * Whether it may have written what a statement reads of a relation.
   *
   * @param read the rows of it that the statement reads; undefined: any.
   * @param typeOf the OID of a column's type; undefined: not known.
   */
  touches(
    relation: string,
    read: TouchedRows | undefined,
    typeOf: (column: string) => number | undefined,
  ): boolean {
    if (this.#isAnywhere) return true;
    const written = this.#relations.get(relation);
    if (written === undefined) return false;
    if (written === "any" || read === undefined) return true;
    return written.some((rows) => !areApart(rows, read, typeOf));
  }
}

/** Whether no row can be of both: a column has another value in each. */
function areApart(
  a: TouchedRows,
  b: TouchedRows,
  typeOf: (column: string) => number | undefined,
): boolean {
  return a.values.some((value) => {
    const other = valueOf(b.values, value.column);
    return other !== undefined &&
      areOther(value, other, typeOf(value.column));
  });
}

/** Whether two values of a type are known to be different ones, however they were sent. */
export function areOther(
  a: PinnedValue,
  b: PinnedValue,
  typeOid: number | undefined,
): boolean {
  const [ours, theirs] = [normalOf(a, typeOid), normalOf(b, typeOid)];
  return ours !== undefined && theirs !== undefined && ours !== theirs;
}

/** Of a value of a type what equal ones have in common; undefined: not told. */
export function normalOf(
  value: PinnedValue,
  typeOid: number | undefined,
): string | undefined {
  return NORMAL.get(typeOid ?? 0)?.(value);
}

/** Of a value what equal ones have in common; undefined: not told. */
type Normal = (value: PinnedValue) => string | undefined;

/** As float8 a small whole number has bytes of a large one: those are not told. */
const MAX_INTEGER = 4_503_599_627_370_496;

const integer: Normal = ({ isBinary, text }) => {
  if (!isBinary) {
    const [, sign, digits] = /^\s*([+-]?)0*(\d{1,15})\s*$/.exec(text) ?? [];
    return digits && (sign === "-" && digits !== "0" ? "-" : "") + digits;
  }
  if (![2, 4, 8].includes(text.length)) return undefined;
  const bits = [...text].reduce(
    (sum, char) => sum << 8n | BigInt(char.charCodeAt(0)),
    0n,
  );
  const value = BigInt.asIntN(8 * text.length, bits);
  return Math.abs(Number(value)) < MAX_INTEGER ? `${value}` : undefined;
};

const uuid: Normal = ({ isBinary, text }) => {
  const hex = isBinary
    ? [...text].map((char) => char.charCodeAt(0).toString(16).padStart(2, "0"))
      .join("")
    : text.replaceAll(/[{}-]/g, "").toLowerCase();
  return /^[0-9a-f]{32}$/.test(hex) ? hex : undefined;
};

/** What no collation takes for alike. */
const ascii: Normal = ({ isBinary, text }) =>
  // deno-lint-ignore no-control-regex
  !isBinary && /^[\x00-\x7f]*$/.test(text)
    ? text.toLowerCase().replaceAll(/[^a-z0-9]/g, "")
    : undefined;

/** By the OIDs of pg_type.dat. */
const NORMAL: ReadonlyMap<number, Normal> = new Map([
  [20, integer], // int8
  [21, integer], // int2
  [23, integer], // int4
  [2950, uuid],
  [25, ascii], // text
  [1043, ascii], // varchar
]);
