import { lastName, list, type Node } from "./tree.ts";
import {
  kindOfCall,
  UNSAFE_STATEMENTS,
  type UnsafeKind,
} from "./unsafe_kinds.ts";

/** What something does that is never replayed, and what it names: behind that may stand more. */
export interface Deeds {
  readonly kinds: readonly UnsafeKind[];
  readonly calls: readonly string[];
  readonly reads: readonly string[];
  readonly writes: readonly string[];
}

/** What a statement may do beside its database, besides what its shape names. */
export interface Danger extends Deeds {
  /** The prepared statement that stands within it, as in EXPLAIN ANALYZE EXECUTE. */
  readonly executes?: string | undefined;
  /** A literal of it is code: each text is looked at. */
  readonly hasCode: boolean;
  /** It says what may run later, and runs none of what it names. */
  readonly runsNothing?: true;
  /** What it defines does that to all that call it, or touch it. */
  readonly defines?: Defined | undefined;
  /** Code within it changes definitions. */
  readonly definesWithin?: boolean;
}

/** A routine; a relation: its query, a trigger, a rule, a policy or a default of it; a foreign table, which is written. */
export interface Defined {
  readonly of: "routine" | "relation" | "foreign";
  readonly name: string;
  readonly does: Deeds;
}

/** Statements that run nothing of what they name. For each the field that names the relation. */
const ONLY_TELL: Readonly<Record<string, string>> = {
  PrepareStmt: "",
  CreateFunctionStmt: "",
  ViewStmt: "view",
  RuleStmt: "relation",
  CreatePolicyStmt: "table",
  CreateTrigStmt: "relation",
  CreateStmt: "relation",
};
/** Functions that run a literal (manual, "XML Functions", "Text Search Functions", tablefunc). */
const RUNNERS = new Set([
  "connectby",
  "crosstab",
  "crosstab2",
  "crosstab3",
  "crosstab4",
  "query_to_xml",
  "query_to_xmlschema",
  "query_to_xml_and_xmlschema",
  "ts_rewrite",
  "ts_stat",
]);
const NAMES: readonly string[] = [];
const NOTHING: Danger = {
  kinds: [],
  calls: NAMES,
  reads: NAMES,
  writes: NAMES,
  hasCode: false,
};

/** Of a statement that is prepared or described, and does not run. */
export const NOT_RUN: Danger = { ...NOTHING, runsNothing: true };

/** Of a kind that is known without a look. */
export function dangerOfKind(kind: UnsafeKind): Danger {
  return { ...NOTHING, kinds: [kind] };
}

/** What the tree of a statement says; undefined: nothing. */
export function dangerOf(type: string, body: Node): Danger | undefined {
  const field = ONLY_TELL[type];
  if (field !== undefined) return tellingOf(type, body, field);
  const defines = definedBy(type, body);
  if (defines !== undefined) return { ...NOT_RUN, defines };
  const walk = new DangerWalk();
  walk.add({ [type]: body });
  const { kinds, procedures } = walk;
  // By itself it is known by what it names.
  const executes = type === "ExecuteStmt" ? undefined : walk.executes;
  const isNothing = kinds.size + procedures.size === 0 && !walk.hasCode &&
    executes === undefined;
  return isNothing ? undefined : {
    ...NOTHING,
    kinds: [...kinds],
    calls: [...procedures],
    executes,
    hasCode: walk.hasCode,
  };
}

/** A foreign table, or a routine by a new name. */
function definedBy(type: string, body: Node): Defined | undefined {
  if (type === "CreateForeignTableStmt") {
    const { relation } = body.base as Node;
    const name = String((relation as Node).relname);
    const does: Deeds = { ...NOTHING, kinds: ["foreign_write"] };
    return { of: "foreign", name, does };
  }
  const isRoutine = type === "RenameStmt" &&
    ["OBJECT_FUNCTION", "OBJECT_PROCEDURE", "OBJECT_ROUTINE"].includes(
      String(body.renameType),
    );
  if (!isRoutine) return undefined;
  const { objname } = (body.object as Node).ObjectWithArgs as Node;
  const does: Deeds = { ...NOTHING, calls: [lastName(objname)] };
  return { of: "routine", name: String(body.newname), does };
}

/** Of a statement that runs nothing. */
function tellingOf(
  type: string,
  body: Node,
  field: string,
): Danger {
  if (type === "CreateFunctionStmt") return { ...NOT_RUN, hasCode: true };
  const relation = body[field] as Node | undefined;
  if (relation === undefined) return NOT_RUN;
  const walk = new DangerWalk();
  walk.add({ [type]: body });
  const { kinds, calls, relations } = walk;
  if (type === "CreateTrigStmt") calls.add(lastName(body.funcname));
  const name = String(relation.relname);
  relations.delete(name);
  if (kinds.size + calls.size + relations.size === 0) return NOT_RUN;
  const does = {
    kinds: [...kinds],
    calls: [...calls],
    reads: [...relations],
    writes: NAMES,
  };
  return { ...NOT_RUN, defines: { of: "relation", name, does } };
}

/** Finds what is unsafe in trees, without a frame for each level: no depth is too much. */
export class DangerWalk {
  readonly kinds = new Set<UnsafeKind>();
  /** Of CALL. */
  readonly procedures = new Set<string>();
  /** All functions and relations by their names. */
  readonly calls = new Set<string>();
  readonly relations = new Set<string>();
  /** Literals. */
  readonly texts: string[] = [];
  /** A prepared statement's name. */
  executes: string | undefined;
  hasCode = false;

  /** Takes a tree. */
  add(tree: unknown): void {
    const open: unknown[] = [tree];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      if (Array.isArray(node)) {
        for (const item of node) open.push(item);
        continue;
      }
      if (typeof node !== "object" || node === null) continue;
      for (const [key, child] of Object.entries(node)) {
        if (typeof child !== "object" || child === null) continue;
        this.#look(key, child as Node);
        open.push(child);
      }
    }
  }

  #look(key: string, node: Node): void {
    if (Object.hasOwn(UNSAFE_STATEMENTS, key) && !staysHere(key, node)) {
      this.kinds.add(UNSAFE_STATEMENTS[key as keyof typeof UNSAFE_STATEMENTS]);
    }
    switch (key) {
      case "funccall":
        this.procedures.add(lastName(node.funcname));
        return this.#call(node);
      case "FuncCall":
        return this.#call(node);
      case "CopyStmt":
        if (node.is_program === true) this.kinds.add("copy_program");
        else if (node.filename !== undefined) this.kinds.add("copy_file");
        return;
      case "RangeVar":
        this.relations.add(String(node.relname));
        return;
      case "ExecuteStmt":
        this.executes = String(node.name);
        return;
      case "DoStmt":
        this.hasCode = true;
        return;
      case "sval":
        if (typeof node.sval === "string") this.texts.push(node.sval);
    }
  }

  #call({ funcname }: Node): void {
    const name = lastName(funcname);
    this.calls.add(name);
    const schema = list(funcname).length > 1
      ? lastName(list(funcname).slice(0, -1))
      : undefined;
    const kind = kindOfCall(name, schema);
    if (kind !== undefined) this.kinds.add(kind);
    if (RUNNERS.has(name)) this.hasCode = true;
  }
}

/** Whether CREATE SUBSCRIPTION says `connect = false`: it makes an entry in the catalog, and no more (manual, CREATE SUBSCRIPTION). */
function staysHere(type: string, { options }: Node): boolean {
  return type === "CreateSubscriptionStmt" &&
    list(options).some(({ DefElem }) => {
      const { defname, arg } = DefElem as Node;
      const { String: text } = (arg ?? {}) as { String?: { sval?: string } };
      return defname === "connect" && text?.sval === "false";
    });
}
