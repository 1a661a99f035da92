import type { Catalog, CatalogColumn } from "../catalog/mod.ts";
import { type CellRule, formOfType, maskOfType } from "./cell_rules.ts";
import type { Column } from "./columns.ts";
import { INT8, OID } from "./type_oids.ts";
import { analyze } from "../sql/analyze.ts";
import { natureOfCall } from "../sql/mod.ts";

import type { CountPart, CountRule, Shape } from "../sql/shape.ts";
import {
  type Columns,
  type Mask,
  MASKS,
  type Output,
  type RelationColumn,
  type Star,
  type Trait,
} from "../sql/trait.ts";

const known = new WeakMap<Catalog, OutputMasks>();

/** Those of a catalog: what is known of its statements lives as long as it does. */
export function masksOf(catalog: Catalog): OutputMasks {
  let masks = known.get(catalog);
  if (masks === undefined) known.set(catalog, masks = new OutputMasks(catalog));
  return masks;
}

/** Views within views that are looked into. */
const MAX_DEPTH = 20;
const RULES: readonly (CountRule | undefined)[] = [
  undefined,
  "boundary",
  "choice",
  "any",
  "draw",
];
/** A mask; undefined: nothing may differ. */
type Free = Mask | undefined;
/** What a generated column has of those that it is computed from. */
const COMPUTED: Readonly<Record<Mask, Mask>> = {
  float: "float",
  permuted: "choice",
  ties: "choice",
  numbered: "choice",
  time: "moment",
  age: "moment",
  sequence: "chance",
  boundary: "boundary",
  choice: "choice",
  moment: "moment",
  chance: "chance",
};

/** What holds of one column of an answer. */
interface Known {
  readonly mask: Free;
  readonly isCaseFree: boolean;
  /** It is what count() gives. */
  readonly isCount: boolean;
  /** Names of the columns that rows are numbered by; undefined: they are not known. */
  readonly within: readonly string[] | undefined;
}

const NOTHING: Known = {
  mask: undefined,
  isCaseFree: false,
  isCount: false,
  within: undefined,
};

/**
 * In what the columns of an answer may differ: what the statement's text says,
 * and what the catalog knows of views, functions, defaults and triggers. One
 * for each state of the catalog.
 */
export class OutputMasks {
  readonly #catalog: Catalog;
  readonly #rules = new WeakMap<
    Shape,
    { readonly columns: readonly Column[]; readonly rules: readonly CellRule[] }
  >();
  readonly #views = new Map<string, Shape | undefined>();

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** By column of the answer. */
  rules(shape: Shape, columns: readonly Column[]): readonly CellRule[] {
    const before = this.#rules.get(shape);
    if (before?.columns === columns) return before.rules;
    const names = columns.map(({ name }) => name);
    const known = this.#aligned(shape.outputs ?? [], names);
    const rules = columns.map((column, i): CellRule => {
      const { mask, isCaseFree, isCount, within } = known[i] ?? NOTHING;
      // Catalogs name their rows by numbers that each server gives out.
      const isNumber = shape.note === "catalog" && column.typeOid === OID;
      return {
        column,
        mask: isNumber ? "chance" : maskOfType(mask, column),
        form: formOfType(column, isCaseFree),
        isFolded: shape.folds,
        isCount: isCount && (column.typeOid === INT8 || column.typeOid === 0),
        within: within && placesOf(within, names, known),
      };
    });
    this.#rules.set(shape, { columns, rules });
    return rules;
  }

  /** How the number of rows may differ: by the statement, its views, and functions that decide. */
  counts({ counts, reads, deciding }: Shape): CountRule | undefined {
    let rule: CountRule | undefined;
    const loosen = (other: CountRule | undefined) => {
      if (RULES.indexOf(other) > RULES.indexOf(rule)) rule = other;
    };
    const take = (parts: readonly CountPart[]) => {
      for (const { rule, unlessUnique: key } of parts) {
        if (key === undefined || !this.#isUnique(key)) loosen(rule);
      }
    };
    take(counts);
    for (const name of deciding) {
      const nature = this.#catalog.functionNature(name);
      if (nature !== undefined) loosen(nature === "time" ? "boundary" : "any");
    }
    this.#eachView(reads, ({ counts }) => take(counts));
    return rule;
  }

  #isUnique({ relation, columns }: Columns): boolean {
    return this.#catalog.isUnique(relation, columns);
  }

  #eachView(names: readonly string[], see: (view: Shape) => void): void {
    const seen = new Set(names);
    for (const name of seen) {
      const view = this.#view(name);
      if (view === undefined) continue;
      see(view);
      for (const inner of view.reads) seen.add(inner);
    }
  }

  #aligned(
    outputs: readonly Output[],
    names: readonly string[],
  ): readonly Known[] {
    const items = outputs.flatMap((output) => this.#expanded(output));
    const first = items.findIndex(isStar);
    if (first < 0 && items.length === names.length) {
      return items.map(({ trait }) => this.#known(trait));
    }
    if (first < 0) return this.#byName(items, names);
    const last = items.findLastIndex(isStar);
    const behind = items.length - 1 - last;
    const middle = this.#byName(
      items.slice(first, last + 1),
      names.slice(first, names.length - behind),
    );
    return [
      ...items.slice(0, first).map(({ trait }) => this.#known(trait)),
      ...middle,
      ...items.slice(last + 1).map(({ trait }) => this.#known(trait)),
    ];
  }

  /** A star in the place of which its columns are known. */
  #expanded(output: Output): readonly Output[] {
    if (!isStar(output) || output.star === undefined) return [output];
    const { star, trait, write } = output;
    const columns = this.#catalog.columns(star);
    if (columns === undefined) return [output];
    return columns.map(({ name }) => ({
      name,
      trait: {
        ...trait,
        columns: [...trait.columns, item(star, name, write)],
      },
    }));
  }

  /** Where columns were merged or are not known their names decide. */
  #byName(
    items: readonly Output[],
    names: readonly string[],
  ): readonly Known[] {
    return names.map((name) => {
      const found = items.flatMap((output): Known[] => {
        if (!isStar(output)) {
          return output.name === name ? [this.#known(output.trait)] : [];
        }
        const { star, trait, write } = output;
        if (star === undefined) return [this.#known(trait)];
        const columns = [...trait.columns, item(star, name, write)];
        return [this.#known({ ...trait, columns })];
      });
      return {
        mask: freest(found.map(({ mask }) => mask)),
        isCaseFree: found.some(({ isCaseFree }) => isCaseFree),
        isCount: found.length > 0 && found.every(({ isCount }) => isCount),
        within: found.length === 1 ? found[0]?.within : undefined,
      };
    });
  }

  #known(trait: Trait): Known {
    const { calls } = trait;
    const numbered = trait.parts.filter(({ mask }) => mask === "numbered");
    return {
      within: numbered.length === 1 ? numbered[0]?.within : undefined,
      isCount: calls.includes("count") &&
        calls.every((name) =>
          name === "count" || natureOfCall(name, 0) === "time"
        ),
      mask: this.#free(trait, 0),
      isCaseFree: trait.columns.some(({ relation, column }) =>
        this.#catalog.columns(relation)?.some(({ name, isCaseFree }) =>
          name === column && isCaseFree
        )
      ),
    };
  }

  #free(trait: Trait, depth: number): Free {
    const masks: Free[] = trait.parts
      .filter(({ unlessUnique: key }) =>
        key === undefined || !this.#isUnique(key)
      )
      .map(({ mask }) => mask);
    for (const name of trait.calls) {
      const nature = this.#catalog.functionNature(name);
      if (nature !== undefined) masks.push(nature);
    }
    for (const column of trait.columns) {
      masks.push(this.#ofColumn(column, depth));
    }
    return freest(masks);
  }

  #ofColumn({ relation, column, write }: RelationColumn, depth: number): Free {
    if (depth > MAX_DEPTH) return "chance";
    const masks: Free[] = [];
    if (write !== undefined) {
      const columns = this.#catalog.columns(relation);
      const place = columns?.findIndex(({ name }) => name === column) ?? -1;
      const given = write.named[column] ?? write.positional[place];
      if (given !== undefined) masks.push(this.#free(given, depth + 1));
      if (given === undefined ? write.inserts : given.isDefault) {
        masks.push(
          columns === undefined ? "chance" : maskOfDefault(columns[place]),
        );
        for (const from of columns?.[place]?.default?.from ?? []) {
          const of = this.#ofColumn(
            { relation, column: from, write },
            depth + 1,
          );
          masks.push(of && COMPUTED[of]);
        }
      }
      masks.push(this.#ofTriggers(relation, column));
    }
    for (const output of this.#view(relation)?.outputs ?? []) {
      const named = !isStar(output) &&
        (output.name === column || column === "*");
      if (named) masks.push(this.#free(output.trait, depth + 1));
    }
    return freest(masks);
  }

  #ofTriggers(relation: string, column: string): Free {
    const changes = this.#catalog.changedByTrigger(relation);
    return changes === "all" ? "chance" : changes?.get(column);
  }

  /** The query of a view; undefined: it is none. */
  #view(name: string): Shape | undefined {
    if (!this.#views.has(name)) {
      const text = this.#catalog.viewText(name);
      const statements = text === undefined ? undefined : analyze(text);
      this.#views.set(name, statements?.shapes[0]);
    }
    return this.#views.get(name);
  }
}

/** Where columns stand; undefined: one is not there, or there twice, or may differ itself. */
function placesOf(
  wanted: readonly string[],
  names: readonly string[],
  known: readonly Known[],
): readonly number[] | undefined {
  const places = wanted.map((name) => names.indexOf(name));
  const areSure = places.every((place) =>
    place >= 0 && known[place]?.mask === undefined &&
    names.indexOf(names[place] as string, place + 1) < 0
  );
  return areSure ? places : undefined;
}

function maskOfDefault(column: CatalogColumn | undefined): Free {
  const nature = column?.default?.nature;
  return nature === "fixed" ? undefined : nature;
}

function item(
  relation: string,
  column: string,
  write: Star["write"],
): RelationColumn {
  return write === undefined
    ? { relation, column }
    : { relation, column, write };
}

function isStar(output: Output): output is Star {
  return "star" in output;
}

function freest(masks: readonly Free[]): Free {
  let free: Free;
  for (const mask of masks) {
    if (mask === undefined) continue;
    if (free === undefined || MASKS.indexOf(mask) > MASKS.indexOf(free)) {
      free = mask;
    }
  }
  return free;
}
