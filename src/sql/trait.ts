/**
 * In what an output column may differ on an equal server, the freest last: the
 * last one that holds of a column decides.
 */
export const MASKS = [
  /** The order of additions shows in the last digits. */
  "float",
  /** Elements of a list, in any order. */
  "permuted",
  /** Elements of a list whose ORDER BY may leave ties. */
  "ties",
  /** Numbers of rows with equal keys: the column's values, in any order. */
  "numbered",
  /** The moment: later on the mirror by the replay's lag. */
  "time",
  /** Seconds, or an interval, up to the moment. */
  "age",
  /** What a sequence gave. */
  "sequence",
  /** What a comparison with the moment decided. */
  "boundary",
  /** One of several rows of equal right. */
  "choice",
  /** Computed from the moment. */
  "moment",
  /** Anything. */
  "chance",
] as const;

/** One of {@linkcode MASKS}. */
export type Mask = (typeof MASKS)[number];

/** Columns of a relation, which is named by its key; if a unique key is among them, no rows are alike in them. */
export interface Columns {
  readonly relation: string;
  readonly columns: readonly string[];
  /** Those of them that are held to a value. */
  readonly pinned?: readonly string[];
}

/** What decides by which collation a text is sorted. */
export interface Collated {
  /** Columns that it shows: if one is a text, its collation is the text's. */
  readonly columns: readonly Pick<RelationColumn, "relation" | "column">[];
  /** It is a text whatever the columns are; "literal": if it shows none. */
  readonly made?: "text" | "literal";
  /** The name behind COLLATE. */
  readonly named?: string;
}

/** How rows come from within, which nothing promises, and applications read: sorted by texts, or as a view or a function gives them. */
export interface InOrder {
  readonly sortedBy?: readonly Collated[];
  /** A relation, by its key: it may be a view. */
  readonly relation?: string;
  readonly call?: string;
}

/** A mask, and what takes it away. */
export interface Part {
  readonly mask: Mask;
  /** No mask where these hold a unique key. */
  readonly unlessUnique?: Columns;
  /** Texts that an order with ties is by: no mask where the mirror sorts one otherwise. */
  readonly sortedBy?: readonly Collated[];
  /** It is of rows as they come: no mask where the mirror sorts them otherwise. */
  readonly inOrder?: InOrder;
  /** Of numbered rows the keys of their window: as a scope tells expressions apart, and in the outputs of a statement as names of its columns. */
  readonly within?: readonly string[];
}

/** Masks in the place of others; null takes one away. */
export type Remask = Readonly<Partial<Record<Mask, Mask | null>>>;

/** A column of a relation, by its key: a table, or a view that has masks of its own. */
export interface RelationColumn {
  readonly relation: string;
  /** `*`: all of them, as a row. */
  readonly column: string;
  /** What an expression makes of the column's mask; undefined: the mask itself. */
  readonly as?: Remask;
  /** The statement writes the relation, and returns what it wrote. */
  readonly write?: Write;
}

/** What a statement writes to the rows that it returns. */
export interface Write {
  /** Columns that it does not set have their defaults. */
  readonly inserts: boolean;
  /** Values by column … */
  readonly named: ReadonlyMap<string, Trait>;
  /** … and, of an INSERT without a list of columns, by position. */
  readonly positional: readonly Trait[];
  /** It gives the columns of a relation, by its key, in their order. */
  readonly from?: string;
  /** It gives all columns a value: COPY without a list. */
  readonly isWhole?: true;
  /** Of ON CONFLICT DO UPDATE what it gives a row that it inserts, and one that is there. */
  readonly onConflict?: { readonly inserted: Write; readonly updated: Write };
}

/** What a statement writes to a relation, by its key. */
export interface Draw {
  readonly relation: string;
  readonly write: Write;
}

/** What of an expression decides how far its value may differ. */
export interface Trait {
  readonly parts: readonly Part[];
  /** Functions that it calls: the catalog may know them. */
  readonly calls: readonly string[];
  /** Columns that it reads. */
  readonly columns: readonly RelationColumn[];
  /** It is the word DEFAULT. */
  readonly isDefault?: true;
  /** Of equal values, which their type may write in several ways, one was kept: by GROUP BY, DISTINCT, min. */
  readonly isKept?: true;
}

/** One output column, or the columns that `*` stands for. */
export type Output =
  | {
    readonly name: string | undefined;
    readonly trait: Trait;
    /** It is a column as it is read. */
    readonly isColumn?: true;
    /** Undefined: it is no text. */
    readonly text?: Collated | undefined;
  }
  | Star;

/** The columns of a relation, or of what a function gives. */
export interface Star {
  /** The relation's key. */
  readonly star: string | undefined;
  /** Of each of its columns. */
  readonly trait: Trait;
  readonly write?: Write;
  /** Of what a function gives; undefined: it is no text. */
  readonly text?: Collated | undefined;
}

/** Nothing may differ. */
export const STRICT: Trait = { parts: [], calls: [], columns: [] };
/** One of equal values. */
export const KEPT: Trait = { ...STRICT, isKept: true };

export function masked(mask: Mask): Trait {
  return { ...STRICT, parts: [{ mask }] };
}

/** The mask of what an order leaves to chance among rows with equal keys. */
export function tied(mask: Mask, order: Ties): Trait {
  return { ...STRICT, parts: [{ mask, ...order }] };
}

/** What leaves no ties in an order, or makes them no excuse. */
export type Ties = Pick<Part, "unlessUnique" | "sortedBy">;

/** @param by texts that rows are sorted by. */
export function tiesOf(
  unlessUnique: Columns | undefined,
  by: readonly Collated[],
): Ties {
  return {
    ...(unlessUnique === undefined ? {} : { unlessUnique }),
    ...(by.length === 0 ? {} : { sortedBy: by }),
  };
}

/** What may differ in any of several. */
export function union(traits: readonly Trait[]): Trait {
  const some = traits.filter((trait) => trait !== STRICT);
  if (some.length < 2) return some[0] ?? STRICT;
  const parts = new Map<string, Part>();
  const columns = new Map<string, RelationColumn>();
  for (const trait of some) {
    for (const part of trait.parts) parts.set(keyOf(part), part);
    for (const item of trait.columns) {
      const { relation, column, write, as } = item;
      const key = `${relation}\n${column}\n${remaskNumber(as)}`;
      // What is written to a column is more than what stands in it.
      if (write !== undefined || !columns.has(key)) columns.set(key, item);
    }
  }
  return {
    parts: [...parts.values()],
    calls: [...new Set(some.flatMap(({ calls }) => calls))],
    columns: [...columns.values()],
    ...(some.some(({ isDefault }) => isDefault) ? { isDefault: true } : {}),
    ...(some.some(({ isKept }) => isKept) ? { isKept: true } : {}),
  };
}

function keyOf(
  { mask, unlessUnique, within, sortedBy, inOrder }: Part,
): string {
  const texts = [within, sortedBy, inOrder].map((one) =>
    one && JSON.stringify(one)
  );
  const key = [mask, ...texts].join(" ");
  if (unlessUnique === undefined) return key;
  const { relation, columns, pinned = [] } = unlessUnique;
  return [key, relation, ...columns, "", ...pinned].join("\n");
}

/** Puts other keys of a window in the place of those of numbered rows; undefined: nothing is known of them. */
export function rewindowed(
  trait: Trait,
  within: (keys: readonly string[]) => readonly string[] | undefined,
): Trait {
  if (trait.parts.every((part) => part.within === undefined)) return trait;
  const parts = trait.parts.map(({ within: keys, ...part }): Part => {
    const known = keys && within(keys);
    return known === undefined ? part : { ...part, within: known };
  });
  return { ...trait, parts };
}

/** Puts other masks in the place of some. */
export function remasked(trait: Trait, masks: Remask): Trait {
  if (trait.parts.length + trait.columns.length === 0) return trait;
  const parts = trait.parts.flatMap((part) => {
    const mask = masks[part.mask];
    return mask === null ? [] : [mask === undefined ? part : { ...part, mask }];
  });
  const columns = trait.columns.map(({ as, ...column }): RelationColumn => {
    const both = composed(as ?? NO_REMASK, masks);
    return both === NO_REMASK ? column : { ...column, as: both };
  });
  return { ...trait, parts, columns };
}

/** All masks stay. */
const NO_REMASK: Remask = {};
/** Each that was composed, once: by its JSON. */
const remasks = new Map<string, Remask>([["{}", NO_REMASK]]);
const numbers = new Map<Remask | undefined, number>([[undefined, 0]]);
const compositions = new WeakMap<Remask, WeakMap<Remask, Remask>>();

/** A number for each that is in a trait. */
export function remaskNumber(as: Remask | undefined): number {
  return numbers.get(as) ?? 0;
}

function composed(first: Remask, second: Remask): Remask {
  let known = compositions.get(first);
  if (known === undefined) compositions.set(first, known = new WeakMap());
  let both = known.get(second);
  if (both === undefined) known.set(second, both = compose(first, second));
  return both;
}

function compose(first: Remask, second: Remask): Remask {
  const both: Partial<Record<Mask, Mask | null>> = {};
  for (const mask of MASKS) {
    const between = first[mask] === undefined ? mask : first[mask];
    const after = between && second[between];
    const last = after === undefined ? between : after;
    if (last !== mask) both[mask] = last;
  }
  const key = JSON.stringify(both);
  const known = remasks.get(key);
  if (known !== undefined) return known;
  remasks.set(key, both);
  numbers.set(both, numbers.size);
  return both;
}
