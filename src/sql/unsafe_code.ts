import { parsePlPgSQLSync, parseSync } from "libpg-query";
import { type Danger, DangerWalk, NOT_RUN } from "./danger.ts";
import { Findings } from "./findings.ts";
import { tokens } from "./tokens.ts";
import { lastName, list, type Node } from "./tree.ts";
import {
  kindOfCall,
  kindOfSymbol,
  mayBeUnsafe,
  type UnsafeKind,
} from "./unsafe_kinds.ts";

/** Of nodes of PL/pgSQL: they run what an expression gives. */
const DYNAMIC = new Set([
  "PLpgSQL_stmt_dynexecute",
  "PLpgSQL_stmt_dynfors",
  "dynquery",
]);
/** Types of statements that change definitions. */
const DEFINING = /^(?:Create|Alter|Drop|Rename|Define|View|Rule|Index|Import)/;
const SEMICOLON = 0x3b;
const OPEN = 0x28;
const CLOSE = 0x29;
const WORD = /[\p{L}_][\p{L}\p{N}_$]*/gu;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * What each statement of a text may do by the code that stands in its literals:
 * the body of DO or CREATE FUNCTION, a query that a function runs. Undefined:
 * nothing more than the statement itself says. The parser's module must be loaded.
 */
export function dangersOfText(sql: string): readonly (Danger | undefined)[] {
  return (treesOf(sql) ?? []).map((stmt) => {
    const [type = "", body = {}] = Object.entries(stmt)[0] as [string, Node];
    const code = new UnsafeCode();
    if (type !== "CreateFunctionStmt") {
      code.statement(stmt);
      return code.danger();
    }
    code.routine(body);
    const does = code.danger();
    // It is defined, and runs when it is called.
    return does && {
      ...NOT_RUN,
      defines: { of: "routine", name: lastName(body.funcname), does },
    };
  });
}

/** What a text may do that the parser does not take, or is not asked about: by its words. */
export function dangerOfWords(sql: string): Danger | undefined {
  if (!mayBeUnsafe(sql)) return undefined;
  const code = new UnsafeCode();
  code.unparsed(sql);
  return code.danger();
}

/**
 * What the text of a function, a view, a rule, a trigger's function or an
 * expression does, as a server's catalog has it. Who calls it does that.
 */
export function dangerOfDefinition(text: string): Danger | undefined {
  const code = new UnsafeCode();
  code.definition(text);
  return code.danger();
}

/** Reads code of several languages, and gathers what it may do. */
class UnsafeCode {
  readonly #kinds = new Set<UnsafeKind>();
  readonly #calls = new Set<string>();
  readonly #reads = new Set<string>();
  readonly #writes = new Set<string>();
  #executes: string | undefined;
  #defines = false;

  /** What was found; undefined: nothing. */
  danger(): Danger | undefined {
    const kinds = [...this.#kinds];
    const calls = [...this.#calls];
    const reads = [...this.#reads];
    const writes = [...this.#writes];
    const executes = this.#executes;
    const definesWithin = this.#defines;
    const found = kinds.length + calls.length + reads.length + writes.length;
    return found === 0 && executes === undefined && !definesWithin
      ? undefined
      : {
        kinds,
        calls,
        reads,
        writes,
        executes,
        definesWithin,
        hasCode: false,
      };
  }

  /** A statement that runs. @param isDynamic what its literals say is run, too. */
  statement(stmt: Node, isDynamic = false): void {
    const walk = new DangerWalk();
    walk.add(stmt);
    for (const kind of walk.kinds) this.#kinds.add(kind);
    for (const name of walk.procedures) this.#calls.add(name);
    this.#executes ??= walk.executes;
    const { DoStmt, CreateFunctionStmt } = stmt as Readonly<
      Record<string, Node | undefined>
    >;
    if (DoStmt !== undefined) return this.#block(optionsOf(DoStmt, "args"));
    if (Object.keys(stmt).some((type) => DEFINING.test(type))) {
      this.#defines = true;
    }
    // What it defines may be called before the catalog is read again.
    if (CreateFunctionStmt !== undefined) {
      return this.routine(CreateFunctionStmt);
    }
    try {
      const { calls, relations, written } = new Findings(stmt);
      for (const name of calls) this.#calls.add(name);
      for (const name of relations) this.#reads.add(name);
      for (const name of written) this.#writes.add(name);
    } catch {
      // Too large: what it touches is not known, what it is the walk has found.
    }
    if (isDynamic || walk.hasCode) this.#literals(walk.texts);
  }

  /** What a CREATE FUNCTION or CREATE PROCEDURE defines. */
  routine(body: Node): void {
    if (body.sql_body !== undefined) this.statement(body.sql_body as Node);
    this.#block(optionsOf(body, "options"));
  }

  /** A text of a catalog. */
  definition(text: string): void {
    const parsed = treesOf(text) ?? treesOf(`select ${text}`);
    if (parsed !== undefined) {
      for (const stmt of parsed) {
        const { CreateFunctionStmt } = stmt as { CreateFunctionStmt?: Node };
        if (CreateFunctionStmt !== undefined) this.routine(CreateFunctionStmt);
        else this.statement(stmt);
      }
    } else this.#plpgsql(text);
  }

  /** A text that no parser takes. In a block the literals are code. */
  unparsed(text: string): void {
    const bytes = encoder.encode(text);
    let words: string[] = [];
    /** Those that stand in no parentheses. */
    let own: string[] = [];
    let literals: string[] = [];
    let depth = 0;
    const end = () => {
      const isBlock = words[0]?.toLowerCase() === "do";
      this.#words(words, false);
      if (words[0]?.toLowerCase() === "copy") this.#copied(own);
      if (isBlock) { for (const one of literals) this.#words(wordsOf(one)); }
      words = [];
      own = [];
      literals = [];
      depth = 0;
    };
    for (const { start, end: to, kind } of tokens(bytes, 0, bytes.length)) {
      const token = () => decoder.decode(bytes.subarray(start, to));
      const isWord = kind === "word" || kind === "name";
      if (isWord) {
        const word = kind === "word" ? token() : token().slice(1, -1);
        words.push(word);
        if (depth === 0) own.push(word.toLowerCase());
      } else if (kind === "literal") literals.push(token());
      else if (bytes[start] === OPEN) depth++;
      else if (bytes[start] === CLOSE) depth--;
      else if (bytes[start] === SEMICOLON) end();
    }
    end();
  }

  /** COPY by its words, those of its query left out: behind FROM or TO stands the client, a program, or a file's name. */
  #copied(words: readonly string[]): void {
    const at = words.findIndex((word) => word === "from" || word === "to");
    const place = at < 0 ? "stdin" : words[at + 1] ?? "";
    if (CLIENT.has(place)) return;
    this.#kinds.add(place === "program" ? "copy_program" : "copy_file");
  }

  #block({ language = "plpgsql", as }: Options): void {
    for (const text of as) {
      if (language === "plpgsql") this.#plpgsql(text);
      else if (language === "sql") this.#sql(text);
      else if (language === "c" || language === "internal") {
        const kind = kindOfSymbol(text);
        if (kind !== undefined) this.#kinds.add(kind);
        // What another language says it says in words.
      } else this.#words(wordsOf(text));
    }
  }

  #sql(text: string): void {
    const parsed = treesOf(text);
    if (parsed === undefined) return this.unparsed(text);
    for (const stmt of parsed) this.statement(stmt);
  }

  /** A body, which the parser takes within the function that it is of. */
  #plpgsql(text: string): void {
    let tree: unknown;
    try {
      const tag = quoteFor(text);
      tree = parsePlPgSQLSync(
        `create function f() returns trigger language plpgsql as ${tag}${text}${tag}`,
      );
    } catch {
      return this.unparsed(text);
    }
    const { queries, isDynamic } = queriesOf(tree);
    for (const query of queries) {
      // Expressions, and assignments with what they assign to.
      const parsed = treesOf(query) ?? treesOf(`select ${query}`) ??
        treesOf(`select ${query.replace(/^[^]*?:?=/, "")}`);
      if (parsed === undefined) this.unparsed(query);
      else {
        for (const stmt of parsed) this.statement(stmt, isDynamic);
      }
    }
  }

  /** Literals that are run, or parts of what is run. */
  #literals(texts: readonly string[]): void {
    for (const text of texts) {
      if (!mayBeUnsafe(text)) continue;
      const parsed = treesOf(text);
      if (parsed === undefined) this.#words(wordsOf(text));
      else for (const stmt of parsed) this.statement(stmt);
    }
  }

  /**
   * Names of functions, and words that statements begin with. Each word may be a name.
   *
   * @param mayCopy COPY may stand among them.
   */
  #words(words: readonly string[], mayCopy = true): void {
    let before = "";
    let copy: "no" | "begun" | "open" = "no";
    for (const word of words) {
      const name = word.toLowerCase();
      const kind = kindOfCall(name) ?? STATEMENTS.get(`${before} ${name}`);
      if (kind !== undefined) this.#kinds.add(kind);
      // A file stands behind FROM or TO, where the client would be named.
      if (copy === "open" && !CLIENT.has(name)) {
        this.#kinds.add(name === "program" ? "copy_program" : "copy_file");
      }
      if (mayCopy && name === "copy") copy = "begun";
      else if (copy === "begun" && (name === "from" || name === "to")) {
        copy = "open";
      } else if (copy === "open") copy = "no";
      for (const names of [this.#calls, this.#reads, this.#writes]) {
        names.add(name);
      }
      before = name;
    }
    if (copy === "open") this.#kinds.add("copy_file");
  }
}

const CLIENT = new Set(["stdin", "stdout"]);

/** Statements by their first two words. */
const STATEMENTS: ReadonlyMap<string, UnsafeKind> = new Map([
  ["alter system", "alter_system"],
  ["create database", "create_database"],
  ["drop database", "drop_database"],
  ["create tablespace", "create_tablespace"],
  ["drop tablespace", "drop_tablespace"],
  ["create subscription", "create_subscription"],
  ["alter subscription", "alter_subscription"],
  ["drop subscription", "drop_subscription"],
]);

interface Options {
  readonly language?: string | undefined;
  readonly as: readonly string[];
}

/** The language and the body of DO, CREATE FUNCTION or CREATE PROCEDURE. */
function optionsOf(body: Node, key: "args" | "options"): Options {
  let language: string | undefined;
  let as: readonly string[] = [];
  for (const { DefElem } of list(body[key])) {
    const { defname, arg } = DefElem as Node;
    const { String: one, List } = (arg ?? {}) as {
      readonly String?: { readonly sval?: string };
      readonly List?: { readonly items?: unknown };
    };
    if (defname === "language") language = one?.sval?.toLowerCase();
    if (defname === "as") {
      as = List === undefined
        ? [one?.sval ?? ""]
        : list(List.items).map((item) => lastName([item]));
    }
  }
  return { language, as };
}

/** All that a body of PL/pgSQL has the server run or evaluate. */
function queriesOf(tree: unknown): { queries: string[]; isDynamic: boolean } {
  const queries: string[] = [];
  let isDynamic = false;
  const open: unknown[] = [tree];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (typeof node !== "object" || node === null) continue;
    for (const [key, child] of Object.entries(node)) {
      if (DYNAMIC.has(key)) isDynamic = true;
      if (key === "PLpgSQL_expr") {
        queries.push(String((child as Node).query));
      } else if (typeof child === "object") open.push(child);
    }
  }
  return { queries, isDynamic };
}

/** The statements of a text; undefined: the parser does not take it. */
function treesOf(sql: string): readonly Node[] | undefined {
  try {
    const { stmts = [] } = parseSync(sql) as { stmts?: { stmt?: Node }[] };
    return stmts.flatMap(({ stmt }) => stmt === undefined ? [] : [stmt]);
  } catch {
    return undefined;
  }
}

/** Dollar quotes that the text does not have. */
function quoteFor(text: string): string {
  let tag = "$body$";
  for (let i = 0; text.includes(tag); i++) tag = `$body${i}$`;
  return tag;
}

function wordsOf(text: string): string[] {
  return [...text.matchAll(WORD)].map(([word]) => word);
}
