import { parseSync } from "libpg-query";
import { tokens } from "./tokens.ts";
import { lastName, list, type Node, unwrap } from "./tree.ts";

/**
 * The queries that give a function its values, by its definition: of SQL the
 * last one; of PL/pgSQL those of RETURN, RETURN QUERY, INTO, `:=` and FOR.
 *
 * @returns none: it is in another language, or runs nothing that is read.
 */
export function functionQueries(definition: string): readonly Node[] {
  const [type, body] = unwrap(parsed(definition)[0]);
  if (type !== "CreateFunctionStmt") return [];
  const names = list(body.parameters).flatMap(({ FunctionParameter }) =>
    String((FunctionParameter as Node).name ?? "") || []
  );
  return queriesOf(body).map((query) =>
    withParameters(query, new Set(names)) as Node
  );
}

function queriesOf({ options, sql_body }: Node): readonly Node[] {
  if (sql_body !== undefined) return ofStandardBody(sql_body);
  const body = optionOf(options, "as");
  const text = list((body?.List as Node | undefined)?.items).length === 1
    ? lastName((body?.List as Node).items)
    : "";
  const language = lastName([optionOf(options, "language") ?? {}]);
  if (language === "sql") return parsed(text).slice(-1);
  return language === "plpgsql" ? ofProcedure(text) : [];
}

/** A query in which what a column is compared with by `=` is a parameter, where it has the name of one. */
function withParameters(tree: unknown, names: ReadonlySet<string>): unknown {
  if (typeof tree !== "object" || tree === null || names.size === 0) {
    return tree;
  }
  if (Array.isArray(tree)) {
    return tree.map((item) => withParameters(item, names));
  }
  return Object.fromEntries(
    Object.entries(tree).map(([key, child]) => {
      const written = withParameters(child, names);
      if (key !== "A_Expr") return [key, written];
      const { kind, name, lexpr, rexpr } = written as Node;
      const sides = [lexpr, rexpr].map((side) => nameIn(side));
      const isCompared = kind === "AEXPR_OP" && lastName(name) === "=" &&
        sides.every((side) => side !== undefined);
      const [isLeft, isRight] = sides.map((side) => names.has(side ?? ""));
      if (!isCompared || isLeft === isRight) return [key, written];
      const value = { ParamRef: { number: 1 } };
      return [key, {
        ...(written as Node),
        ...(isLeft ? { lexpr: value } : { rexpr: value }),
      }];
    }),
  );
}

/** The name of a column, or of a parameter that may be qualified with its function's. */
function nameIn(side: unknown): string | undefined {
  const [type, { fields }] = unwrap(side);
  return type === "ColumnRef" ? lastName(fields) : undefined;
}

function optionOf(options: unknown, name: string): Node | undefined {
  const found = list(options).find(({ DefElem }) =>
    (DefElem as Node).defname === name
  );
  return (found?.DefElem as Node | undefined)?.arg as Node | undefined;
}

/** RETURN with an expression, or BEGIN ATOMIC (manual, CREATE FUNCTION, "sql_body"). */
function ofStandardBody(body: unknown): readonly Node[] {
  const [type, { returnval, items }] = unwrap(body);
  if (type === "List") {
    const [, { items: last }] = unwrap(list(items).at(-1));
    return list(last).slice(-1);
  }
  const value = { ResTarget: { val: returnval } };
  return [{ SelectStmt: { targetList: [value], op: "SETOP_NONE" } }];
}

/** Where the value begins that a statement of PL/pgSQL gives or keeps. */
const VALUE =
  /\breturn\s+query\s+(?!execute\b)|\breturn\s+(?!query\b|next\b)|:=\s*|\bin\s+(?=select\b|with\b)|\b(?=(?:select|with)\b)/i;
const INTO =
  /\binto\s+(?:strict\s+)?[\p{L}\p{N}_$."]+(?:\s*,\s*[\p{L}\p{N}_$."]+)*/iu;
/** In front of a query: what it gives goes elsewhere. */
const OTHER = /\b(insert|update|delete|merge|perform|execute)\b/i;

function ofProcedure(text: string): readonly Node[] {
  return statementsIn(text).flatMap((statement) => {
    const found = VALUE.exec(statement);
    if (found === null || OTHER.test(statement.slice(0, found.index))) {
      return [];
    }
    const value = statement.slice(found.index + found[0].length).replace(
      /\bloop\b[^]*$/i,
      "",
    ).trim();
    const query = value.replace(INTO, "");
    const isQuery = /^\(*\s*(select|with|values|table)\b/i.test(query);
    return parsed(isQuery ? query : `select ${query}`).slice(-1);
  });
}

/** Texts between semicolons, without comments. */
function statementsIn(text: string): readonly string[] {
  const bytes = new TextEncoder().encode(text);
  const decoder = new TextDecoder();
  const statements: string[] = [];
  let statement = "";
  for (const { start, end } of tokens(bytes, 0, bytes.length)) {
    const token = decoder.decode(bytes.subarray(start, end));
    if (token === ";") {
      statements.push(statement);
      statement = "";
    } else statement += isGlued(bytes, start) ? token : ` ${token}`;
  }
  return [...statements, statement];
}

/** Whether nothing is between a token and the one before it. */
function isGlued(bytes: Uint8Array, start: number): boolean {
  return start > 0 && !/[\s/]/.test(String.fromCharCode(bytes[start - 1] ?? 0));
}

/** @returns none: it does not parse, as the rest of a statement that is none of SQL. */
function parsed(text: string): readonly Node[] {
  try {
    const { stmts = [] } = parseSync(text) as { stmts?: { stmt?: Node }[] };
    return stmts.flatMap(({ stmt }): readonly Node[] =>
      stmt === undefined ? [] : [stmt]
    );
  } catch {
    return [];
  }
}
