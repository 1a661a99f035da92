import { lastName, list, type Node } from "./tree.ts";
import {
  kindOfCall,
  UNSAFE_STATEMENTS,
  type UnsafeKind,
} from "./unsafe_kinds.ts";

/** What a statement may do beside its database, and where to look for more of it. */
export interface Danger {
  /** What the statement says by itself. */
  readonly kinds: readonly UnsafeKind[];
  /** What it runs beside what its shape names: the procedure of CALL, what the body of DO calls and touches. */
  readonly calls: readonly string[];
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** The prepared statement that stands within it, as in EXPLAIN ANALYZE EXECUTE. */
  readonly executes?: string | undefined;
  /** A literal of it is code: each text is looked at. */
  readonly hasCode: boolean;
  /** The routine that it defines, if that is unsafe. */
  readonly routine?: {
    readonly name: string;
    readonly kinds: readonly UnsafeKind[];
  };
}

/** They say what may run later, and run none of it. */
const ONLY_TELL = new Set([
  "PrepareStmt",
  "CreateFunctionStmt",
  "ViewStmt",
  "RuleStmt",
  "CreatePolicyStmt",
  "CreateTrigStmt",
  "CreateStmt",
]);
const CODE = new Set(["DoStmt", "CreateFunctionStmt"]);
/** Functions that run a literal (manual, "XML Functions", "Text Search Functions"). */
const RUNNERS = new Set([
  "query_to_xml",
  "query_to_xmlschema",
  "query_to_xml_and_xmlschema",
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
export const NOT_RUN: Danger = { ...NOTHING };

/** Of a kind that is known without a look. */
export function dangerOfKind(kind: UnsafeKind): Danger {
  return { ...NOTHING, kinds: [kind] };
}

/** What the tree of a statement says; undefined: nothing. */
export function dangerOf(type: string, body: Node): Danger | undefined {
  const walk = new DangerWalk();
  const isTold = ONLY_TELL.has(type);
  if (!isTold) walk.add({ [type]: body });
  const { kinds, procedures, executes } = walk;
  const hasCode = walk.hasCode || CODE.has(type);
  // By itself it is known by what it names.
  const within = type === "ExecuteStmt" ? undefined : executes;
  const isNothing = kinds.size + procedures.size === 0 && !hasCode &&
    within === undefined;
  return isNothing ? undefined : {
    ...NOTHING,
    kinds: [...kinds],
    calls: [...procedures],
    executes: within,
    hasCode,
  };
}

/** Finds what is unsafe in trees, without a frame for each level: no depth is too much. */
export class DangerWalk {
  readonly kinds = new Set<UnsafeKind>();
  /** Of CALL. */
  readonly procedures = new Set<string>();
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
    if (Object.hasOwn(UNSAFE_STATEMENTS, key)) {
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
    const schema = list(funcname).length > 1
      ? lastName(list(funcname).slice(0, -1))
      : undefined;
    const kind = kindOfCall(name, schema);
    if (kind !== undefined) this.kinds.add(kind);
    if (RUNNERS.has(name)) this.hasCode = true;
  }
}
