import { type Nature, relationKey, type UnsafeKind } from "../sql/mod.ts";
import { ANY_WRITE, Cascades, type KeyWrite } from "./cascades.ts";
import { type CatalogColumn, common, RelationColumns } from "./columns.ts";
import { CollationPair, type ColumnCollation } from "./collation_pair.ts";
import type { Definition } from "./definition.ts";
import { Definitions } from "./definitions.ts";
import { FIRST_OWN_OID, TypePair } from "./type_pair.ts";
import { RowChangers } from "./row_changers.ts";
import type { RowChanges } from "./trigger_changes.ts";
import { type Named, type Reach, Reaches } from "./reach.ts";
import { type Doing, type Fresh, UnsafeReach } from "./unsafe_reach.ts";
import { wholeRows } from "./whole_rows.ts";

/** What a statement is known to touch. */
export interface Touched {
  readonly reads: readonly string[];
  /** Functions that it calls. */
  readonly calls: readonly string[];
}

/** Characters of a view, or of a function, that are kept. */
const MAX_VIEW = 65_536;

/** A unique key: of all its columns, and those that may be NULL, of which rows may have several. */
interface UniqueKey {
  readonly columns: readonly string[];
  readonly nullable: readonly string[];
}

/**
 * What is known of a server's schema: columns and unique keys, what stands
 * behind views and functions, and what a write to one relation does to its own
 * rows and to others. A name without a schema is looked up in the search_path
 * of the mirror's user. Where that does not have it any relation of the name
 * may be meant: the union counts, for keys and columns the part that all have.
 * Functions, and what writes what, go by names without their schemas.
 */
export class Catalog {
  /** OIDs by key: the name alone, and the name with its schema. */
  readonly #relations = new Map<string, string[]>();
  readonly #sequences = new Set<string>();
  /** Schema and name, by OID. */
  readonly #names = new Map<string, readonly [schema: string, name: string]>();
  readonly #unlogged = new Set<string>();
  /** Names of relations whose rows another server holds. */
  readonly #foreign = new Map<
    string,
    { readonly oid: string; readonly schema: string }[]
  >();
  /** Schemas of the search_path, in its order. */
  readonly #path: string[] = [];
  /** Unique keys, by OID. */
  readonly #keys = new Map<string, UniqueKey[]>();
  /** Columns of unique indexes, partial ones too, by OID. */
  readonly #uniques = new Map<string, (readonly string[])[]>();
  /** Relations with an exclusion constraint or a unique index of expressions, by OID. */
  readonly #excluding = new Set<string>();
  readonly #leavingOut = new Set<string>();
  readonly #definitions = new Definitions();
  /** Names of all functions, the server's own too, but for those of temporary schemas. */
  #functions: ReadonlySet<string> = new Set();
  /** By OID. */
  readonly #viewTexts = new Map<string, string>();
  /** By name. */
  readonly #functionTexts = new Map<string, string[]>();
  readonly #columns = new RelationColumns({
    typeName: (oid) => this.#typeNames?.get(oid),
    natureOf: (text) => this.#definitions.expressionNature(text),
  });
  /** As the answers had them, by OID. */
  readonly #typeNames: ReadonlyMap<number, string> | undefined;
  readonly #changers = new RowChangers((text) =>
    this.#definitions.expressionNature(text)
  );
  readonly #changes = new Map<string, RowChanges | undefined>();
  /** Relations whose rows are also another's: partitions and those that inherit, both ways. By name … */
  readonly #family = new Map<string, Set<string>>();
  /** … and by OID. */
  readonly #kin = new Map<string, Set<string>>();
  /** Partitions and heirs by OID, … */
  readonly #children = new Map<string, Set<string>>();
  /** … and those that have partitions, and no rows of their own. */
  readonly #partitioned = new Set<string>();
  readonly #reaches = new Reaches({
    definitions: this.#definitions,
    isRelation: (name) => this.#relations.has(name),
    familyOf: (name) => this.#family.get(name) ?? NO_NAMES,
    defaultsOf: (name) => this.#defaultsOf(name),
    drawn: () => this.#drawn(),
  });
  readonly #unsafe = new UnsafeReach({
    definitions: this.#definitions,
    isForeign: (name, schemas) => {
      const all = this.#foreign.get(name);
      if (all === undefined) return false;
      const meant = this.oids(name);
      return all.some(({ oid, schema }) =>
        schemas === "any" || meant.includes(oid) || schemas?.has(schema)
      );
    },
    defaultsOf: (name) => this.#defaultsOf(name),
  });
  /** By relation: those that, being written, write it by a trigger or a rule, or as a view of it … */
  readonly #writers = new Map<string, Set<string>>();
  /** … and by a foreign key. */
  readonly #cascades = new Cascades();
  /** Relations with a trigger that may write anything. */
  readonly #anything = new Set<string>();
  /** Answers by statement: a mirror that differs all the time asks all the time. */
  readonly #known = new WeakMap<Touched, readonly string[]>();
  /** The types of both servers. */
  readonly types: TypePair;
  /** How both servers sort text. */
  readonly collations: CollationPair;

  /** @param rows answers to CATALOG_QUESTION; none: nothing is known. */
  constructor(
    rows: readonly (readonly string[])[] = [],
    types: TypePair = new TypePair(),
    collations: CollationPair = new CollationPair(),
  ) {
    this.types = types;
    this.collations = collations;
    if (rows.length > 0) types.mirror.learn(rows);
    this.#typeNames = types.mirror.names;
    for (const [kind, name, text, more] of wholeRows(rows)) {
      this.#take(kind, name, text, more);
    }
    for (const [view, { words }] of this.#definitions.views) {
      for (const word of words) {
        if (this.#relations.has(word)) add(this.#writers, word, view);
      }
    }
    for (const [table, definition] of this.#definitions.triggers) {
      const { words, isDynamic } = this.#definitions.whole(definition);
      if (isDynamic) this.#anything.add(table);
      for (const word of words) {
        if (this.#relations.has(word)) add(this.#writers, word, table);
      }
    }
  }

  #take(kind: string, name: string, text: string, more: string): void {
    switch (kind) {
      case "path":
        this.#path.push(name);
        return;
      case "relation":
        return this.#addRelation(name, text, more);
      case "foreign":
        return push(this.#foreign, name, { oid: text, schema: more });
      case "sequence":
        this.#sequences.add(text);
        return this.#addRelation(name, text, more);
      case "unlogged":
        this.#unlogged.add(name);
        return;
      case "key":
        return push(this.#keys, name, {
          columns: text.split("\n"),
          nullable: more === "" ? [] : more.split("\n"),
        });
      case "unique":
        return push(this.#uniques, name, text === "" ? [] : text.split("\n"));
      case "leaves out":
        this.#leavingOut.add(name);
        return;
      case "excluding":
        this.#excluding.add(name);
        return;
      case "child": {
        add(this.#family, name, text);
        add(this.#family, text, name);
        const [child = "", parent = "", kind = ""] = more.split(" ");
        add(this.#children, parent, child);
        if (kind === "p") this.#partitioned.add(parent);
        add(this.#kin, child, parent);
        add(this.#kin, parent, child);
        return;
      }
      case "cascade":
        return this.#cascades.add(name, text, more);
      case "reference":
        return this.#reaches.addReference(name, text, more === "cascade");
      case "functions":
        this.#functions = new Set(text.split("\n"));
        return;
      case "stable":
        return this.#definitions.addStable(name);
      case "view":
        this.#viewTexts.set(more, text);
        return this.#definitions.add(kind, name, text);
      case "function":
        if (text.length <= MAX_VIEW) push(this.#functionTexts, name, text);
        return this.#definitions.add(kind, name, text);
      case "trigger":
      case "policy":
      case "body":
        return this.#definitions.add(kind, name, text);
      case "volatile":
        return this.#definitions.addVolatile(name, text);
      case "columns":
        return this.#columns.add(Number(name), text);
      case "type":
        return this.#columns.addDomainBase(Number(name), Number(more));
      case "domain":
        return this.#columns.addDomainDefault(Number(name), text);
      case "changer":
        return this.#changers.add(name, text, more);
      case "change":
        return this.#changers.addFunction(name, more, text);
    }
  }

  #addRelation(name: string, oid: string, schema: string): void {
    push(this.#relations, name, oid);
    this.#names.set(oid, [schema, name]);
    if (schema !== "") push(this.#relations, relationKey(schema, name), oid);
  }

  /** The relations that a key of {@linkcode relationKey} may stand for, by their OIDs; none: it is not known. */
  oids(key: string): readonly string[] {
    const all = this.#relations.get(key) ?? [];
    if (all.length < 2) return all;
    for (const schema of this.#path) {
      const oids = this.#relations.get(relationKey(schema, key));
      if (oids !== undefined) return oids;
    }
    return all;
  }

  /** Whether several schemas have the relation that a key names without one. */
  isAmbiguous(key: string): boolean {
    return (this.#relations.get(key)?.length ?? 0) > 1;
  }

  /** The keys, with their schemas, of all relations of a name. */
  keysOfName(name: string): readonly string[] {
    return (this.#relations.get(name) ?? []).map((oid) =>
      relationKey(...(this.#names.get(oid) ?? ["", name]))
    );
  }

  /** As people write it: with its schema. */
  nameOf(oid: string): string {
    return this.#names.get(oid)?.filter((part) => part !== "").join(".") ?? oid;
  }

  /** Columns of each unique key without NULLs, the primary one first. */
  keysOf(oid: string): readonly (readonly string[])[] {
    const keys = this.#keys.get(oid) ?? [];
    return keys.filter(({ nullable }) => nullable.length === 0)
      .map(({ columns }) => columns);
  }

  /**
   * Whether equal values in `columns` are in one row of the relation at most.
   *
   * @param pinned those of them that are held to a value, and so to none of NULL.
   */
  isUnique(
    oid: string,
    columns: readonly string[],
    pinned: readonly string[] = [],
  ): boolean {
    return this.#keys.get(oid)?.some((key) =>
      key.columns.every((column) => columns.includes(column)) &&
      key.nullable.every((column) => pinned.includes(column))
    ) ?? false;
  }

  /** The columns of each unique index of a relation, expressions left out: rows with equal values in them, and without NULLs, may not be beside each other. */
  uniquesOf(oid: string): readonly (readonly string[])[] {
    return this.#uniques.get(oid) ?? [];
  }

  /** Whether a rule, or a trigger before each row, may leave rows of an UPDATE or DELETE of a relation as they are. */
  leavesOutRows(oid: string): boolean {
    return [...this.familyOf(oid)].some((one) => this.#leavingOut.has(one));
  }

  /** Whether rows of a relation may be kept apart by more than the columns of unique indexes. */
  excludesRows(oid: string): boolean {
    return this.#excluding.has(oid);
  }

  /** What a user's function gives; undefined: its arguments and the data decide, or it is none. */
  functionNature(name: string): Nature | undefined {
    return this.#definitions.functionNature(name);
  }

  /** A view's query, by its OID, with the schemas of all that it names; undefined: it is no view, or endless. */
  viewText(oid: string): string | undefined {
    const text = this.#viewTexts.get(oid);
    return (text?.length ?? 0) > MAX_VIEW ? undefined : text;
  }

  /** The definitions of functions of a name in SQL and PL/pgSQL, but for immutable ones. */
  functionTexts(name: string): readonly string[] {
    return this.#functionTexts.get(name) ?? [];
  }

  /** Whether a relation's rows are in no log. */
  isUnlogged(oid: string): boolean {
    return this.#unlogged.has(oid);
  }

  /** Whether a relation is a sequence. */
  isSequence(oid: string): boolean {
    return this.#sequences.has(oid);
  }

  /** A relation's columns in their order; of several relations that a key may stand for, if all have the same. */
  columns(key: string): readonly CatalogColumn[] | undefined {
    return common(this.oids(key).map((oid) => this.columnsOf(oid)));
  }

  /** A relation's columns in their order, by its OID. */
  columnsOf(oid: string): readonly CatalogColumn[] | undefined {
    return this.#columns.of(Number(oid));
  }

  /** What a domain is made of; of any other type the type itself. */
  baseType(typeOid: number): number {
    return this.#columns.baseOf(typeOid);
  }

  /** How a column's text is sorted; undefined: it is no text, or relations of the name differ in it. */
  collationOf(relation: string, column: string): ColumnCollation | undefined {
    const all = this.oids(relation).map((oid) => {
      const isText = this.columnsOf(oid)?.some(({ name, isText }) =>
        name === column && isText
      );
      const [schema = "", name = ""] = this.#names.get(oid) ?? [];
      return isText ? this.collations.of(schema, name, column) : undefined;
    });
    const [first] = all;
    const areSame = all.every((one) =>
      one?.isDefault === first?.isDefault &&
      one?.isOtherwise === first?.isOtherwise
    );
    return areSame ? first : undefined;
  }

  /** A type as SQL names it, wherever the search_path leads: a domain by what it is made of. Undefined: it is not known. */
  typeText(typeOid: number): string | undefined {
    const oid = this.#columns.baseOf(typeOid);
    const name = this.#typeNames?.get(oid);
    const parts = /^(?:([^."]+)\.)?([^."]+?)(\[\])?$/.exec(name ?? "");
    if (parts === null) return undefined;
    const [, own, type, array = ""] = parts;
    const schema = own ?? (oid < FIRST_OWN_OID ? "pg_catalog" : "public");
    return `"${schema}"."${type}"${array}`;
  }

  /**
   * The columns that a relation's triggers set, whatever the client writes, and
   * how far an equal server may have otherwise what they set. Undefined: there
   * are none, or the relation is not known.
   */
  changedByTrigger(oid: string): RowChanges | undefined {
    if (this.#changes.has(oid)) return this.#changes.get(oid);
    // A row goes to a partition, which has triggers of its own.
    let changes = this.#changers.changesOf(this.familyOf(oid));
    if (changes !== undefined && changes !== "all") {
      const names = this.columnsOf(oid)?.map(({ name }) => name);
      const found = [...changes].filter(([name]) =>
        names?.includes(name) ?? true
      );
      changes = found.length === 0 ? undefined : new Map(found);
    }
    this.#changes.set(oid, changes);
    return changes;
  }

  /** A relation, and those whose rows are also its own, or its own also theirs: by OID. */
  familyOf(oid: string): ReadonlySet<string> {
    const family = new Set([oid]);
    for (const one of family) {
      for (const more of this.#kin.get(one) ?? []) family.add(more);
    }
    return family;
  }

  /** The same by names, without the relations themselves. */
  relativesOf(names: readonly string[]): readonly string[] {
    const family = new Set(names);
    for (const one of family) {
      for (const more of this.#family.get(one) ?? NO_NAMES) family.add(more);
    }
    return [...family].filter((name) => !names.includes(name));
  }

  /** The relations that may hold a row which a statement writes to one: itself, or partitions; if it was there already heirs, too. */
  holdersOf(oid: string, isNew: boolean): ReadonlySet<string> {
    const holders = new Set([oid]);
    for (const one of holders) {
      if (isNew && !this.#partitioned.has(one)) continue;
      for (const child of this.#children.get(one) ?? []) holders.add(child);
    }
    return holders;
  }

  /** The OID of a column's type; undefined if relations of the name differ in it, or none is known. */
  columnType(relation: string, column: string): number | undefined {
    return this.columns(relation)?.find(({ name }) => name === column)
      ?.typeOid;
  }

  /** Whether no function of a user has the name, which might read anything. */
  readonly isForeign = (name: string): boolean =>
    this.#definitions.function(name) === undefined;

  /** Whether there was a function of each name when the server was asked. */
  hasFunctions(names: readonly string[]): boolean {
    return names.every((name) => this.#functions.has(name));
  }

  /**
   * Whether who writes a row of a table by the values of these columns writes no
   * other one of it, and leaves the values: no trigger or rule of its own names
   * the table or the columns, no cascade leads back to it, no policy looks
   * beyond the row.
   */
  keepsRows(relation: string, columns: Iterable<string>): boolean {
    return !this.#family.has(relation) && this.#keepsOwn(relation, columns);
  }

  /** The same of any row, for a relation with all its partitions and heirs, and what is done to it. */
  keepsFamily(oid: string, write?: KeyWrite): boolean {
    return [...this.familyOf(oid)].every((one) => {
      const [, name = ""] = this.#names.get(one) ?? [];
      return this.#keepsOwn(name, [], write);
    });
  }

  #keepsOwn(
    relation: string,
    columns: Iterable<string>,
    write = ANY_WRITE,
  ): boolean {
    if (!this.#relations.has(relation)) return false;
    if (this.#definitions.view(relation) !== undefined) return false;
    if (this.#writers.get(relation)?.has(relation)) return false;
    if (this.#cascades.follow(relation, relation, write)) return false;
    if (this.#looksBeyond(relation)) return false;
    const definition = this.#definitions.trigger(relation);
    if (definition === undefined) return true;
    const { words, isDynamic, isOpaque } = this.#definitions.whole(definition);
    return !isDynamic && !isOpaque && !words.has(relation) &&
      [...columns].every((column) => !words.has(column));
  }

  /** Whether other rows than its own may decide who sees a row of the relation. */
  #looksBeyond(relation: string): boolean {
    const policy = this.#definitions.policy(relation);
    if (policy === undefined) return false;
    const { words, callsUser, isOpaque } = this.#definitions.whole(policy);
    return callsUser || isOpaque ||
      [...words].some((word) => this.#relations.has(word));
  }

  /**
   * Statements by which triggers, rules and functions write where a statement
   * writes these relations and calls these functions. In the place of NEW and
   * OLD there are queries of their relation.
   */
  writesBehind(
    relations: readonly string[],
    calls: readonly string[],
  ): readonly string[] {
    const found: string[] = [];
    for (const name of relations) {
      const trigger = this.#definitions.trigger(name);
      if (trigger === undefined) continue;
      for (const text of this.#definitions.whole(trigger).writes) {
        found.push(ofRow(text, name));
      }
    }
    for (const name of calls) {
      const definition = this.#definitions.function(name);
      if (definition === undefined) continue;
      found.push(...this.#definitions.whole(definition).writes);
    }
    return found;
  }

  /** Whether row-level policies decide which rows of a relation, by its key, are seen. */
  hasPolicy(key: string): boolean {
    const name = key.slice(key.indexOf("\0") + 1);
    return this.#definitions.policy(name) !== undefined;
  }

  /** Whether a relation, by its key, is a view, or may be. */
  isView(key: string): boolean {
    const name = key.slice(key.indexOf("\0") + 1);
    return this.#definitions.view(name) !== undefined;
  }

  #defaultsOf(name: string): readonly string[] {
    return (this.#relations.get(name) ?? []).flatMap((oid) =>
      this.#columns.expressionsOf(Number(oid))
    );
  }

  /**
   * What a statement comes to that is never replayed, behind what it names.
   *
   * @param fresh what was defined since.
   */
  unsafeBehind(named: Doing, fresh?: Fresh): readonly UnsafeKind[] {
    const { writes } = named;
    const all = writes.length === 0
      ? writes
      : [...writes, ...this.relativesOf(writes), ...this.#cascading(writes)];
    return this.#unsafe.of({ ...named, writes: all }, fresh);
  }

  /** Whether functions of these names, or what they call, mention one of some words. */
  functionsMention(
    names: readonly string[],
    wanted: ReadonlySet<string>,
  ): boolean {
    return names.some((name) => {
      const definition = this.#definitions.function(name);
      return definition !== undefined &&
        [...wanted].some((word) =>
          this.#definitions.whole(definition).words.has(word)
        );
    });
  }

  /** Relations whose rows go with those of others: their triggers act, too. */
  #cascading(names: readonly string[]): readonly string[] {
    return this.#reaches.of({ reads: [], writes: names, calls: [] })?.written ??
      [];
  }

  /** How far a statement reaches; undefined: anywhere. */
  reachOf(named: Named): Reach | undefined {
    return this.#reaches.of(named);
  }

  /** Whether functions may write any relation. */
  writesAnything(calls: readonly string[]): boolean {
    return this.#reaches.writesAnything(calls);
  }

  /** For each sequence that defaults draw from: the names of their relations. */
  #drawn(): ReadonlyMap<string, ReadonlySet<string>> {
    const names = new Map<number, string>();
    for (const [key, oids] of this.#relations) {
      if (key.includes("\0")) continue;
      for (const oid of oids) names.set(Number(oid), key);
    }
    return new Map([...this.#columns.drawn].map(([sequence, oids]) => [
      sequence,
      new Set([...oids].flatMap((oid) => names.get(oid) ?? [])),
    ]));
  }

  /** The relations that, being written, may change what the statement reads. */
  writersOf(touched: Touched): readonly string[] {
    let writers = this.#known.get(touched);
    if (writers === undefined) {
      this.#known.set(touched, writers = this.#findWriters(touched));
    }
    return writers;
  }

  /**
   * Whether such a write to one relation may lead to others: to one of
   * `written`, all of which lead to each other or where it is asked for.
   */
  leads(
    relation: string,
    write: KeyWrite,
    written: readonly string[],
  ): boolean {
    if (this.#anything.has(relation)) return true;
    // Triggers and foreign keys of a partition act, too.
    const kin = [relation, ...this.#family.get(relation) ?? []];
    return written.some((one) =>
      kin.some((name) =>
        this.#writers.get(one)?.has(name) ||
        this.#cascades.follow(one, name, write)
      )
    );
  }

  #findWriters({ reads, calls }: Touched): readonly string[] {
    const read = new Set(reads);
    for (const name of calls) {
      const definition = this.#definitions.function(name);
      if (definition !== undefined) this.#addRelations(read, definition);
    }
    // A set gives what is added to it while it is walked.
    for (const name of read) {
      const view = this.#definitions.view(name);
      if (view !== undefined) this.#addRelations(read, view);
      const policy = this.#definitions.policy(name);
      if (policy !== undefined) this.#addRelations(read, policy);
    }
    for (const name of read) {
      for (const more of this.#family.get(name) ?? []) read.add(more);
      for (const more of this.#writers.get(name) ?? []) read.add(more);
      for (const more of this.#cascades.parentsOf(name)) read.add(more);
    }
    if (read.size > 0) { for (const name of this.#anything) read.add(name); }
    return [...read];
  }

  #addRelations(found: Set<string>, definition: Definition): void {
    for (const word of this.#definitions.whole(definition).words) {
      if (this.#relations.has(word)) found.add(word);
    }
  }
}

const NO_NAMES: ReadonlySet<string> = new Set();

const ROW =
  /\b(?:new|old)\b(?:\s*\.\s*("(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*))?/giu;

/** A trigger's statement, with queries of the relation in the place of its row. */
function ofRow(text: string, relation: string): string {
  const from = `"${relation.replaceAll('"', '""')}"`;
  return text.replace(
    ROW,
    (_, column = "r") =>
      `(select ${column === "r" ? "" : "r."}${column} from ${from} r)`,
  );
}

function add(sets: Map<string, Set<string>>, key: string, value: string): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([value]));
  else set.add(value);
}

function push<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
