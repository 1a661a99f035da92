/**
 * OIDs from here on differ between servers: initdb and the build give them out
 * up to 16383 (FirstGenbkiObjectId in access/transam.h), a database its own.
 */
export const FIRST_OWN_OID = 10_000;
/**
 * Types that a database's users made, extensions among them, have OIDs from here
 * on (FirstNormalObjectId in access/transam.h). Clients name no others by an OID
 * that differs: what initdb made is in information_schema.
 */
const FIRST_USER_OID = 16_384;
/** Types of which a server's earlier names are kept. */
const MAX_EARLIER = 10_000;
/** The mark of what may be any type; no built-in type has such a number. */
const ANY = FIRST_OWN_OID;

/** Rows of kind "type", as TYPES_QUESTION asks for them; others are left out. */
type Rows = readonly (readonly string[])[];

/**
 * The names of one server's types. A type that was made since, or in a session
 * alone, is not among them. Earlier names are kept: servers are not asked at
 * the same point of their histories.
 */
export class ServerTypes {
  #names: ReadonlyMap<number, string> | undefined;
  /** What is kept while the server is asked again. */
  #last: ReadonlyMap<number, string> = new Map();
  readonly #earlier = new Map<number, Set<string>>();

  /** By OID; undefined: the server has not said. */
  get names(): ReadonlyMap<number, string> | undefined {
    return this.#names;
  }

  /** The names that types had before their present ones, by OID. */
  get earlier(): ReadonlyMap<number, ReadonlySet<string>> {
    return this.#earlier;
  }

  /** As last told, be they forgotten or not, by OID. */
  get lastNames(): ReadonlyMap<number, string> {
    return this.#last;
  }

  learn(rows: Rows): void {
    const names = new Map<number, string>();
    for (const [kind, oid, name = ""] of rows) {
      if (kind === "type") names.set(Number(oid), name);
    }
    for (const [oid, name] of this.#last) {
      const next = names.get(oid);
      if (next === undefined || next === name) continue;
      if (this.#earlier.size >= MAX_EARLIER) this.#earlier.clear();
      this.#earlier.set(oid, (this.#earlier.get(oid) ?? new Set()).add(name));
    }
    this.#names = this.#last = names;
  }

  /** The types may have changed: until it has learnt again, each may be any. */
  forget(): void {
    this.#names = undefined;
  }

  /** Another server comes in its place. */
  reset(): void {
    this.#names = undefined;
    this.#last = new Map();
    this.#earlier.clear();
  }
}

/** The types of the primary and of its mirror. What is not known of one is any type of the other. */
export class TypePair {
  readonly primary: ServerTypes = new ServerTypes();
  readonly mirror: ServerTypes = new ServerTypes();
  /** Numbers of the names that both servers have, for the names that they were made from. */
  #marks = new Map<string, number>();
  #markedPrimary: ReadonlyMap<number, string> | undefined;
  #markedMirror: ReadonlyMap<number, string> | undefined;
  /** The mirror's OIDs by the primary's, for the names that they were made from. */
  readonly #mapped = new Map<number, number>();
  #mappedPrimary: ReadonlyMap<number, string> | undefined;
  #mappedMirror: ReadonlyMap<number, string> | undefined;
  #areMoved = false;

  /** Whether a type of the primary and one of the mirror may be the same. */
  areSame(primaryOid: number, mirrorOid: number): boolean {
    if (primaryOid < FIRST_OWN_OID || mirrorOid < FIRST_OWN_OID) {
      return primaryOid === mirrorOid;
    }
    const theirs = this.primary.names?.get(primaryOid);
    const ours = this.mirror.names?.get(mirrorOid);
    if (theirs === undefined || ours === undefined || theirs === ours) {
      return true;
    }
    return this.primary.earlier.get(primaryOid)?.has(ours) ||
      this.mirror.earlier.get(mirrorOid)?.has(theirs) || false;
  }

  /** Whether a type is known to have another OID on the mirror than on the primary. */
  get areMoved(): boolean {
    this.#map();
    return this.#areMoved;
  }

  /**
   * The OID that a type of the primary has on the mirror, as both have told last:
   * unlike comparing, sending can't take it for any type.
   *
   * @returns undefined: one of them has not told of it.
   */
  mirrorOid(primaryOid: number): number | undefined {
    if (primaryOid < FIRST_USER_OID) return primaryOid;
    this.#map();
    return this.#mapped.get(primaryOid);
  }

  #map(): void {
    const theirs = this.primary.lastNames;
    const ours = this.mirror.lastNames;
    if (theirs === this.#mappedPrimary && ours === this.#mappedMirror) return;
    [this.#mappedPrimary, this.#mappedMirror] = [theirs, ours];
    this.#mapped.clear();
    this.#areMoved = false;
    const oids = new Map<string, number>();
    for (const [oid, name] of ours) {
      if (oid >= FIRST_USER_OID) oids.set(name, oid);
    }
    for (const [oid, name] of theirs) {
      if (oid < FIRST_USER_OID) continue;
      // Renamed on the primary, it has its earlier name on a mirror that is behind.
      const names = [name, ...this.primary.earlier.get(oid) ?? []];
      const found = names.map((one) => oids.get(one)).find((one) =>
        one !== undefined
      );
      if (found === undefined) continue;
      this.#mapped.set(oid, found);
      if (found !== oid) this.#areMoved = true;
    }
    // Where two have changed names the mirror was asked before it, and the primary behind.
    const found = Map.groupBy(this.#mapped, ([, oid]) => oid);
    for (const several of found.values()) {
      if (several.length < 2) continue;
      for (const [oid] of several) this.#mapped.delete(oid);
    }
  }

  /** A number that equal types have in common on both servers, or ANY. */
  primaryMark(oid: number): number {
    return this.#mark(this.primary, oid);
  }

  mirrorMark(oid: number): number {
    return this.#mark(this.mirror, oid);
  }

  #mark({ names }: ServerTypes, oid: number): number {
    const name = names?.get(oid);
    if (name === undefined) return ANY;
    this.#number();
    return this.#marks.get(name) ?? ANY;
  }

  #number(): void {
    const { primary, mirror } = this;
    const theirs = primary.names;
    const ours = mirror.names;
    if (theirs === this.#markedPrimary && ours === this.#markedMirror) return;
    [this.#markedPrimary, this.#markedMirror] = [theirs, ours];
    this.#marks = new Map();
    // What has been renamed is not told from what it was named before.
    const unsure = new Set<string>();
    for (const { names, earlier } of [primary, mirror]) {
      for (const [oid, before] of earlier) {
        unsure.add(names?.get(oid) ?? "");
        for (const name of before) unsure.add(name);
      }
    }
    const known = new Set(ours?.values());
    for (const name of theirs?.values() ?? []) {
      if (!known.has(name) || unsure.has(name) || this.#marks.has(name)) {
        continue;
      }
      this.#marks.set(name, ANY + 1 + this.#marks.size);
    }
  }
}
