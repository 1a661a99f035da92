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
  const [type, { options, sql_body }] = unwrap(parsed(definition)[0]);
  if (type !== "CreateFunctionStmt") return [];
  if (sql_body !== undefined) return ofStandardBody(sql_body);
  const body = optionOf(options, "as");
  const text = list((body?.List as Node | undefined)?.items).length === 1
    ? lastName((body?.List as Node).items)
    : "";
  const language = lastName([optionOf(options, "language") ?? {}]);
  if (language === "sql") return parsed(text).slice(-1);
  return language === "plpgsql" ? ofProcedure(text) : [];
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
