import { AdminError, SQLSTATE } from "./admin_error.ts";

/** One word of a statement. Comments and white space are gone. */
export interface Token {
  readonly kind: "word" | "quoted" | "string" | "number" | "parameter" | "mark";
  /** Without its quotes. */
  readonly text: string;
}

/** One statement of a query string. */
export interface Statement {
  readonly tokens: readonly Token[];
  /** As the client wrote it, for messages. */
  readonly text: string;
}

// One alternative per lexical rule (manual, section "Lexical Structure"). Sticky: matches only where it stands.
const SPACE = /(?:\s+|--[^\n]*)+/y;
const WORD = /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y;
const NUMBER = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const PARAMETER = /\$\d+/y;
const STRING = /'((?:[^']|'')*)'/y;
const QUOTED = /"((?:[^"]|"")*)"/y;

/**
 * Cuts a query string into statements at `;`, minding quotes and comments.
 * Empty statements are left out, as PostgreSQL's parser does.
 *
 * @throws {AdminError} 42601 for a quote or a comment without an end
 */
export function splitStatements(query: string): Statement[] {
  const statements: Statement[] = [];
  let tokens: Token[] = [];
  let start = 0;
  let at = 0;

  const finish = () => {
    if (tokens.length > 0) {
      statements.push({ tokens, text: query.slice(start, at).trim() });
    }
    tokens = [];
  };
  const match = (rule: RegExp): RegExpExecArray | null => {
    rule.lastIndex = at;
    return rule.exec(query);
  };
  const take = (kind: Token["kind"], rule: RegExp, doubled = ""): boolean => {
    const found = match(rule);
    if (found === null) return false;
    const text = found[1] ?? found[0];
    tokens.push({
      kind,
      text: doubled === "" ? text : text.replaceAll(doubled + doubled, doubled),
    });
    at += found[0].length;
    return true;
  };

  while (at < query.length) {
    const space = match(SPACE);
    if (space !== null) {
      at += space[0].length;
    } else if (query.startsWith("/*", at)) {
      at = endOfComment(query, at);
    } else if (query[at] === ";") {
      finish();
      start = ++at;
    } else if (
      !take("word", WORD) && !take("number", NUMBER) &&
      !take("parameter", PARAMETER) && !take("string", STRING, "'") &&
      !take("quoted", QUOTED, '"')
    ) {
      const mark = query[at] as string; // at < query.length
      if (mark === "'" || mark === '"') throw unterminated("quoted string");
      tokens.push({ kind: "mark", text: mark });
      at++;
    }
  }
  finish();
  return statements;
}

/** Comments of the slash-star kind nest. */
function endOfComment(query: string, from: number): number {
  const edge = /\/\*|\*\//g;
  edge.lastIndex = from;
  let depth = 0;
  for (let found = edge.exec(query); found; found = edge.exec(query)) {
    depth += found[0] === "/*" ? 1 : -1;
    if (depth === 0) return edge.lastIndex;
  }
  throw unterminated("comment");
}

function unterminated(what: string): AdminError {
  return new AdminError(SQLSTATE.syntaxError, `unterminated ${what}`);
}

/** A token as a keyword: upper case; `""` if it is none. */
export function keyword(token: Token | undefined): string {
  return token?.kind === "word" ? token.text.toUpperCase() : "";
}

/**
 * The form in which commands are compared: upper case, one space between words,
 * `_` as a space, so that `show  Mirror_Stats` is `SHOW MIRROR STATS`.
 */
export function commandKey(tokens: readonly Token[]): string {
  return tokens.map((token) => token.text).join(" ").replaceAll(/[\s_]+/g, " ")
    .trim().toUpperCase();
}
