import { lastName, list, type Node, unwrap } from "./tree.ts";

/** What a definition changes for who reads beside it, by names of relations without schemas; "all": it may be any. */
export interface Definition {
  /** Whose rows may be others … */
  readonly rows: readonly string[] | "all";
  /** … and which may be gone, new, or have other columns. */
  readonly relations: readonly string[] | "all";
  /** They are there already, and it names all of them without a schema. */
  readonly isPlain?: boolean;
  /** The table of its own session that it makes, and whether that stays behind the transaction. */
  readonly temporary?: { readonly name: string; readonly isLasting: boolean };
}

/** Another session sees the same as before. */
const NOTHING: Definition = { rows: [], relations: [] };
/** What it changes its text does not name: a function, a type, a schema. */
export const ANYTHING: Definition = { rows: "all", relations: "all" };
/** Nobody has rows of a new type; who names it may find it, or not. */
const TYPE: Definition = { rows: [], relations: "all" };

/** Definitions that change neither rows nor columns. */
const UNSEEN: ReadonlySet<string> = new Set([
  "AlterDefaultPrivilegesStmt",
  "AlterOwnerStmt",
  "AlterStatsStmt",
  "AlterTableMoveAllStmt",
  "ClusterStmt",
  "CommentStmt",
  "ConstraintsSetStmt",
  "CreateStatsStmt",
  "GrantStmt",
  "ReindexStmt",
  "SecLabelStmt",
  "VacuumStmt",
]);

const NEW_TYPES: ReadonlySet<string> = new Set([
  "CompositeTypeStmt",
  "CreateDomainStmt",
  "CreateEnumStmt",
  "CreateRangeStmt",
]);

/** Kinds of objects with rows. */
const RELATIONS: ReadonlySet<unknown> = new Set([
  "OBJECT_TABLE",
  "OBJECT_VIEW",
  "OBJECT_MATVIEW",
  "OBJECT_FOREIGN_TABLE",
  "OBJECT_SEQUENCE",
]);

/** Kinds of objects that are named behind their relation. */
const OF_RELATIONS: ReadonlySet<unknown> = new Set([
  "OBJECT_POLICY",
  "OBJECT_RULE",
  "OBJECT_TRIGGER",
]);

/** Says of a definition (DDL, TRUNCATE, REFRESH) what it changes. */
export function definitionOf(type: string, body: Node): Definition {
  if (UNSEEN.has(type)) return NOTHING;
  if (NEW_TYPES.has(type)) return TYPE;
  switch (type) {
    case "CreateStmt":
      return created(body.relation, {
        others: list(body.inhRelations),
        onCommit: body.oncommit,
      });
    case "CreateForeignTableStmt":
      return created((body.base as Node).relation);
    case "CreateTableAsStmt":
      return created((body.into as Node).rel, {
        onCommit: (body.into as Node).onCommit,
      });
    case "ViewStmt":
      return created(body.view);
    case "CreateSeqStmt":
    case "AlterSeqStmt":
      return created(body.sequence);
    case "CreateSchemaStmt":
      return list(body.schemaElts).length === 0 ? NOTHING : ANYTHING;
    case "CreateFunctionStmt":
      return firstName(body.funcname) === "pg_temp" ? NOTHING : ANYTHING;
    case "IndexStmt":
      // By a new unique key an INSERT is refused.
      return body.unique === true ? created(body.relation) : NOTHING;
    case "AlterTableStmt":
      if (body.objtype === "OBJECT_TYPE") return ANYTHING;
      if (body.objtype === "OBJECT_INDEX") return NOTHING;
      return ofPresent([
        body.relation as Node,
        ...list(body.cmds).flatMap(partner),
      ]);
    case "AlterObjectSchemaStmt":
    case "CreateTrigStmt":
    case "RuleStmt":
    case "RefreshMatViewStmt":
      return body.relation === undefined ? ANYTHING : created(body.relation);
    case "CreatePolicyStmt":
    case "AlterPolicyStmt":
      return created(body.table);
    case "RenameStmt":
      return renamed(body);
    case "DropStmt":
      return dropped(body);
    case "TruncateStmt":
      // All that refers to it is emptied, too.
      return body.behavior === "DROP_CASCADE"
        ? ANYTHING
        : ofPresent(list(body.relations));
    default:
      return ANYTHING;
  }
}

function of(relations: readonly string[]): Definition {
  return { rows: relations, relations };
}

/** Of relations that are there already. */
function ofPresent(relations: readonly Node[]): Definition {
  const isPlain = relations.every((one) =>
    rangeOf(one).schemaname === undefined
  );
  return { ...of(relations.map(nameOf)), isPlain };
}

/**
 * @param others whose rows are those of the relation, too.
 * @param onCommit what becomes of a temporary table.
 */
function created(
  relation: unknown,
  { others = [], onCommit }: {
    readonly others?: readonly Node[];
    readonly onCommit?: unknown;
  } = {},
): Definition {
  const node = relation as Node;
  if (!isTemporary(node)) return of([node, ...others].map(nameOf));
  if (onCommit === undefined) return NOTHING;
  const isLasting = onCommit !== "ONCOMMIT_DROP";
  return { ...NOTHING, temporary: { name: nameOf(node), isLasting } };
}

/** Its own session alone sees it. */
function isTemporary({ relpersistence, schemaname }: Node): boolean {
  return relpersistence === "t" || schemaname === "pg_temp";
}

/** The schema of a name that has one. */
function firstName(parts: unknown): string {
  return lastName(list(parts).slice(0, 1));
}

/** A RangeVar, wrapped or not. */
function rangeOf(relation: Node): Node {
  return (relation.RangeVar ?? relation) as Node;
}

function nameOf(relation: Node): string {
  return String(rangeOf(relation).relname);
}

/** The relation that one becomes a part of, or gets as a part: ATTACH, DETACH, INHERIT. */
function partner({ AlterTableCmd }: Node): readonly Node[] {
  const [type, node] = unwrap((AlterTableCmd as Node).def);
  if (type === "PartitionCmd") return [node.name as Node];
  return type === "RangeVar" ? [node] : [];
}

function renamed({ renameType, relation, newname }: Node): Definition {
  if (renameType === "OBJECT_INDEX") return NOTHING;
  if (relation === undefined || renameType === "OBJECT_ATTRIBUTE") {
    return ANYTHING;
  }
  const names = [nameOf(relation as Node)];
  if (RELATIONS.has(renameType)) names.push(String(newname));
  return of(names);
}

function dropped({ removeType, objects, behavior }: Node): Definition {
  const names = list(objects).map((object) =>
    list((object.List as Node | undefined)?.items)
  );
  if (OF_RELATIONS.has(removeType)) {
    return of(names.map((parts) => lastName(parts.slice(0, -1))));
  }
  if (removeType === "OBJECT_INDEX") return NOTHING;
  if (!RELATIONS.has(removeType)) return ANYTHING;
  const rows = names.map(lastName);
  const isPlain = names.every((parts) => parts.length === 1);
  // Views that read it are gone, too. Other relations keep their rows.
  const relations = behavior === "DROP_CASCADE" ? "all" : rows;
  return { rows, relations, isPlain };
}
