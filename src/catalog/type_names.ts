/**
 * OIDs from here on differ between servers: initdb and the build give them out
 * up to 16383 (FirstGenbkiObjectId in access/transam.h), a database its own.
 */
export const FIRST_OWN_OID = 10_000;
/** Names that types had before, of both servers. */
const MAX_EARLIER = 10_000;

/** Rows of kind "type", as TYPES_QUESTION asks for them. */
type Rows = readonly (readonly string[])[];

/**
 * The names of both servers' own types. What is not known is any type: one that
 * was made since, or in a session; all, where a server could not be asked. A
 * type has its earlier names, too: the servers are not asked at the same point
 * of their histories.
 */
export class TypeNames {
  #primary: ReadonlyMap<number, string> | undefined;
  #mirror: ReadonlyMap<number, string> | undefined;
  #earlierOfPrimary = new Map<number, Set<string>>();
  #earlierOfMirror = new Map<number, Set<string>>();
  /** Numbers of the names that both servers have. */
  #marks = new Map<string, number>();

  /** What the primary has said; undefined: it is not known any more. */
  primaryIs(rows: Rows | undefined): void {
    const names = rows && namesIn(rows);
    this.#earlierOfPrimary = changed(
      this.#earlierOfPrimary,
      this.#primary,
      names,
    );
    this.#primary = names;
    this.#number();
  }

  /** What the mirror has said; undefined: it is not known any more. */
  mirrorIs(rows: Rows | undefined): void {
    const names = rows && namesIn(rows);
    this.#earlierOfMirror = changed(this.#earlierOfMirror, this.#mirror, names);
    this.#mirror = names;
    this.#number();
  }

  primaryName(oid: number): string | undefined {
    return this.#primary?.get(oid);
  }

  /** Of built-in types, too. */
  mirrorName(oid: number): string | undefined {
    return this.#mirror?.get(oid);
  }

  /** Whether a type of the primary and one of the mirror may be the same. */
  areSame(primaryOid: number, mirrorOid: number): boolean {
    if (primaryOid < FIRST_OWN_OID || mirrorOid < FIRST_OWN_OID) {
      return primaryOid === mirrorOid;
    }
    const theirs = this.primaryName(primaryOid);
    const ours = this.mirrorName(mirrorOid);
    if (theirs === undefined || ours === undefined || theirs === ours) {
      return true;
    }
    const before = this.#earlierOfPrimary.get(primaryOid);
    const earlier = this.#earlierOfMirror.get(mirrorOid);
    if (before?.has(ours) || earlier?.has(theirs)) return true;
    return before !== undefined && earlier !== undefined &&
      !before.isDisjointFrom(earlier);
  }

  /** A number that equal types have in common on both servers; 0: it may be any type. */
  primaryMark(oid: number): number {
    if (this.#earlierOfPrimary.has(oid)) return 0;
    return this.#marks.get(this.primaryName(oid) ?? "") ?? 0;
  }

  mirrorMark(oid: number): number {
    if (this.#earlierOfMirror.has(oid)) return 0;
    return this.#marks.get(this.mirrorName(oid) ?? "") ?? 0;
  }

  #number(): void {
    this.#marks = new Map();
    if (this.#primary === undefined || this.#mirror === undefined) return;
    const ours = new Set(this.#mirror.values());
    for (const name of this.#primary.values()) {
      if (ours.has(name) && !this.#marks.has(name)) {
        this.#marks.set(name, this.#marks.size + 1);
      }
    }
  }
}

function namesIn(rows: Rows): Map<number, string> {
  const names = new Map<number, string>();
  for (const [kind, oid, name = ""] of rows) {
    if (kind === "type") names.set(Number(oid), name);
  }
  return names;
}

/** The earlier names, with those that `now` has changed. */
function changed(
  earlier: Map<number, Set<string>>,
  before: ReadonlyMap<number, string> | undefined,
  now: ReadonlyMap<number, string> | undefined,
): Map<number, Set<string>> {
  if (now === undefined) return new Map();
  for (const [oid, name] of before ?? []) {
    const next = now.get(oid);
    if (next === undefined || next === name) continue;
    if (earlier.size >= MAX_EARLIER) earlier.clear();
    earlier.set(oid, (earlier.get(oid) ?? new Set()).add(name));
  }
  return earlier;
}
