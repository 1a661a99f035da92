import type { Nature } from "../sql/mod.ts";
import { MAX_DEFAULT } from "./question.ts";

/** What a column of a row holds that says nothing of it. */
export interface ColumnDefault {
  /** How far equal servers may differ in it: not at all, by the moment, or by anything. */
  readonly nature: "fixed" | "time" | "sequence" | "chance";
  /** The session decides it: its user, a setting. */
  readonly isOfSession?: true;
  /** Of a generated column: the columns that it is computed from. */
  readonly from: readonly string[];
}

/** A column of a table or a view. */
export interface CatalogColumn {
  readonly name: string;
  readonly typeOid: number;
  /** The type's name, with its schema unless every database has that. */
  readonly type: string;
  /** Undefined: NULL. Of a view only what the view itself says. */
  readonly default: ColumnDefault | undefined;
  /** The default as SQL, with the schemas of all that it names, if an INSERT of the mirror's user may give the column another value. */
  readonly replaceable: string | undefined;
  /** GENERATED ALWAYS AS IDENTITY. */
  readonly isAlways: boolean;
  /** Texts may be equal and have other bytes: citext, or a nondeterministic collation. */
  readonly isCaseFree: boolean;
  /** Made of other columns. */
  readonly isGenerated: boolean;
  /** It has a collation. */
  readonly isText: boolean;
}

/** What columns are read with. */
export interface ColumnsOptions {
  readonly typeName: (oid: number) => string | undefined;
  readonly natureOf: (expression: string) => Nature | undefined;
}

/** As the question gives them: number, name, type, flags, default. */
type Given = [number, string, number, string, string | null];

/** How far a default differs, the least first. */
const NATURES = ["fixed", "time", "sequence", "chance"] as const;

/**
 * The columns of relations, by the relations' OIDs. A large schema has a
 * hundred thousand of them: each relation's are read when they are asked for.
 */
export class RelationColumns {
  readonly #options: ColumnsOptions;
  readonly #texts = new Map<number, string>();
  readonly #read = new Map<number, readonly CatalogColumn[]>();
  readonly #expressions = new Map<number, readonly string[]>();
  readonly #drawn = new Map<string, Set<number>>();
  /** Domains' bases and defaults, by OID. */
  readonly #bases = new Map<number, number>();
  readonly #domains = new Map<number, string>();

  constructor(options: ColumnsOptions) {
    this.#options = options;
  }

  /** Takes a relation's columns as the question gives them. */
  add(oid: number, text: string): void {
    this.#texts.set(oid, text);
    for (const [, sequence = ""] of text.matchAll(DRAWN)) {
      const known = this.#drawn.get(sequence);
      if (known === undefined) this.#drawn.set(sequence, new Set([oid]));
      else known.add(oid);
    }
  }

  /** For each sequence that defaults draw from: their relations. */
  get drawn(): ReadonlyMap<string, ReadonlySet<number>> {
    return this.#drawn;
  }

  addDomainBase(oid: number, base: number): void {
    if (base !== 0) this.#bases.set(oid, base);
  }

  addDomainDefault(oid: number, expression: string): void {
    this.#domains.set(oid, expression);
  }

  /** In the order of their numbers. */
  of(oid: number): readonly CatalogColumn[] | undefined {
    const known = this.#read.get(oid);
    if (known !== undefined) return known;
    const text = this.#texts.get(oid);
    if (text === undefined) return undefined;
    this.#texts.delete(oid);
    const given = parse(text);
    if (given === undefined) return undefined;
    const names = given.map(([, name]) => name);
    const expressions = given.flatMap(([, , type, , expression]) =>
      expression ?? this.#domains.get(type) ?? []
    );
    if (expressions.length > 0) this.#expressions.set(oid, expressions);
    const columns = given.map((column) => this.#column(column, names));
    this.#read.set(oid, columns);
    return columns;
  }

  /** The expressions of the columns' defaults. */
  expressionsOf(oid: number): readonly string[] {
    this.of(oid);
    return this.#expressions.get(oid) ?? [];
  }

  #column(
    [, name, typeOid, flags, expression]: Given,
    names: readonly string[],
  ): CatalogColumn {
    const { typeName } = this.#options;
    return {
      name,
      typeOid,
      type: typeName(typeOid) ?? `type ${typeOid}`,
      default: this.#default(typeOid, flags, expression, names),
      replaceable:
        flags.includes("w") && (expression?.length ?? 0) < MAX_DEFAULT &&
          !/[sv]/.test(flags)
          ? expression ?? undefined
          : undefined,
      isAlways: flags.includes("a"),
      isCaseFree: flags.includes("n") || this.#isCitext(typeOid),
      isGenerated: /[sv]/.test(flags),
      isText: flags.includes("t"),
    };
  }

  #default(
    typeOid: number,
    flags: string,
    expression: string | null,
    names: readonly string[],
  ): ColumnDefault | undefined {
    if (/[ad]/.test(flags)) return { nature: "sequence", from: [] };
    const text = expression ?? this.#domains.get(typeOid);
    if (text === undefined) return undefined;
    const isGenerated = /[sv]/.test(flags);
    const words = isGenerated ? wordsIn(text) : new Set();
    const nature = this.#nature(text);
    const isOfSession = nature === "chance" &&
      this.#nature(text.replace(SESSION, "f")) === "fixed";
    return {
      nature,
      ...(isOfSession ? { isOfSession } : {}),
      from: names.filter((name) => words.has(name)),
    };
  }

  #nature(expression: string): ColumnDefault["nature"] {
    // The part that is not here may say anything.
    if (expression.length >= MAX_DEFAULT) return "chance";
    const { natureOf } = this.#options;
    const rest = expression.replace(SEQUENCE, "");
    const nature = natureOf(rest);
    if (rest !== expression && nature !== "chance") return "sequence";
    return nature === "time" || nature === "chance" ? nature : "fixed";
  }

  #isCitext(typeOid: number): boolean {
    const name = this.#options.typeName(this.baseOf(typeOid));
    return /(^|\.)citext$/.test(name ?? "");
  }

  /** The type that a domain is made of; any other type itself. */
  baseOf(typeOid: number): number {
    let oid = typeOid;
    while (this.#bases.has(oid)) oid = this.#bases.get(oid) as number; // it has one
    return oid;
  }
}

/** A call that gives a sequence's next number. */
const SEQUENCE = /\bnextval\s*(?=\()/g;

/** The same, with the sequence's name, in JSON. */
const DRAWN = /\bnextval\('((?:[^']|'')+)'/g;

/** What replay gives the mirror's session, too. */
const SESSION =
  /\b(?:current_(?:user|role|schema|setting)|session_user)\b(?:\(\))?/gi;

/** Of several relations of a name: their columns, if all have the same. */
export function common(
  lists: readonly (readonly CatalogColumn[] | undefined)[],
): readonly CatalogColumn[] | undefined {
  const [first, ...others] = lists;
  if (first === undefined || others.length === 0) return first;
  for (const list of others) {
    if (list?.length !== first.length) return undefined;
    const isSame = list.every(({ name, type }, i) =>
      name === first[i]?.name && type === first[i]?.type
    );
    if (!isSame) return undefined;
  }
  return first.map((column, i) => {
    const all = lists.flatMap((list) => list?.[i] ?? []);
    return {
      ...column,
      default: all.map((one) => one.default).reduce(lessCertain),
      replaceable: undefined,
      isCaseFree: all.some(({ isCaseFree }) => isCaseFree),
    };
  });
}

function lessCertain(
  a: ColumnDefault | undefined,
  b: ColumnDefault | undefined,
): ColumnDefault | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return NATURES.indexOf(b.nature) > NATURES.indexOf(a.nature) ? b : a;
}

function wordsIn(expression: string): ReadonlySet<string> {
  const words = new Set<string>();
  const tokens = /"((?:[^"]|"")+)"|'(?:[^']|'')*'|([\p{L}_][\p{L}\p{N}_$]*)/gu;
  for (const [, quoted, word] of expression.matchAll(tokens)) {
    words.add(quoted?.replaceAll('""', '"') ?? word ?? "");
  }
  return words;
}

/** @returns undefined if it is not what was asked for: a mirror may say anything. */
function parse(text: string): readonly Given[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every(isGiven) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isGiven(value: unknown): value is Given {
  if (!Array.isArray(value)) return false;
  const [number, name, type, flags, expression] = value as unknown[];
  return typeof number === "number" && typeof name === "string" &&
    typeof type === "number" && typeof flags === "string" &&
    (expression === null || typeof expression === "string");
}
