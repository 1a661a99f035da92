import { CLOSE, Framer, PARSE, QUERY } from "../wire/mod.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/**
 * Statements that change what later statements of the session see, by their
 * first words. It is asked only for text that will not be replayed as a whole,
 * and errs towards "yes".
 */
const STATE_STATEMENT =
  /^(?:set(?!\s+(?:local|transaction|constraints)\b)|reset|discard|prepare(?!\s+transaction\b)|deallocate|listen|unlisten|load|create\s+(?:(?:global|local)\s+)?temp|declare\b[^;]*\bwith\s+hold|select\s+(?:pg_catalog\s*\.\s*)?(?:set_config|pg_advisory_lock|pg_try_advisory_lock|pg_advisory_unlock)|(?:select|with)\b[^;]*\binto\s+(?:(?:global|local)\s+)?temp(?:orary)?\s)/i;

/** State that replaying the statement alone does not bring back. */
const NOT_REPEATABLE = /^(?:create|declare|with|select\b[^;]*\binto\b)/i;
/** In text of the extended protocol: its values came with Bind. */
const PARAMETER = /\$\d/;

/** `set_config` of this transaction only, and of anything: its last argument tells. */
const LOCAL_CONFIG =
  /\bset_config\s*\(\s*(?:'(?:[^']|'')*'|\$\d+)(?:\s*::\s*\w+)?\s*,\s*(?:'(?:[^']|'')*'|\$\d+)(?:\s*::\s*\w+)?\s*,\s*true\s*\)/gi;
const ANY_CONFIG = /\bset_config\s*\(/gi;
const LOCK_OR_TABLE = /\bpg_(?:try_)?advisory_|\binto\b/i;
/** Characters of a text with set_config that is looked into, and of one that ends state. */
const MAX_CONFIG = 10_000;
const MAX_ENDING = 1_000;

/** What a Query text does to the session's state. */
export type QueryState =
  | "none"
  /** Every statement changes state only: it can be replayed by itself. */
  | "pure"
  /** State is changed by a statement that can't be replayed by itself. */
  | "mixed";

/** Classifies the text of a simple Query, without parsing literals: errs towards "mixed". */
export function queryState(sql: string): QueryState {
  let state = 0;
  let other = 0;
  for (const part of sql.split(";")) {
    const statement = part.replace(LEADING_SPACE_AND_COMMENTS, "");
    if (statement === "") continue;
    if (!STATE_STATEMENT.test(statement) || isLocal(statement)) other++;
    else if (NOT_REPEATABLE.test(statement)) return "mixed";
    else state++;
  }
  return state === 0 ? "none" : other === 0 ? "pure" : "mixed";
}

/** Whether all that it sets goes with the transaction. */
function isLocal(statement: string): boolean {
  if (statement.length > MAX_CONFIG) return false;
  const all = statement.match(ANY_CONFIG)?.length ?? 0;
  return all > 0 && all === statement.match(LOCAL_CONFIG)?.length &&
    !LOCK_OR_TABLE.test(statement);
}

/**
 * Whether one statement changes the session's state, by its first characters.
 *
 * @param cut there are more, which may matter: errs towards "yes".
 */
export function isStateStatement(head: string, cut: boolean): boolean {
  const statement = head.replace(LEADING_SPACE_AND_COMMENTS, "");
  if (!cut && isLocal(statement)) return false;
  return STATE_STATEMENT.test(statement) ||
    cut && (statement === "" || /^(?:declare|\/\*|--)/i.test(statement));
}

const LEADING_SPACE_AND_COMMENTS =
  /^(?:\s+|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)+/;

/** A message that brings a part of the session's state back. */
export interface Repeated {
  /** A later message with the same key replaces it. */
  readonly key: string;
  readonly message: Uint8Array<ArrayBuffer>;
  /** It sets something, and is prepared by name: whoever binds it again sends no text. */
  readonly prepared: boolean;
}

/** What the client messages of one transaction do to the session's state. */
export interface SessionState {
  /** Messages to repeat, in order. */
  readonly repeat: Repeated[];
  /** Keys of prepared statements that were closed. */
  readonly closed: string[];
  /** What was there before and is not any more: all prepared statements, or all state. */
  readonly cleared: "nothing" | "statements" | "all";
  /** State was changed in a way that can't be repeated. */
  readonly lost: boolean;
}

const NOTHING: SessionState = {
  repeat: [],
  closed: [],
  cleared: "nothing",
  lost: false,
};
/** In front of a prepared statement's name, in its key. */
export const STATEMENT_KEY = "statement ";
/** One statement that ends state: DISCARD ALL, or DEALLOCATE of a name or of all. */
const ENDING =
  /^(?:(?<discard>discard\s+all)|deallocate\s+(?:prepare\s+)?(?:"(?<quoted>(?:[^"]|"")+)"|(?<plain>[^\s";/]+)))$/i;
/** The name that a PREPARE gives. */
const PREPARED = /^prepare\s+(?:"((?:[^"]|"")+)"|([^\s"(]+))/i;
/** What several statements in one text do to names is not followed. */
const NAMING = /\b(?:prepare|deallocate|discard)\b/i;
const framer = new Framer();

/** Extracts the session state from whole client messages. */
export function sessionState(bytes: Uint8Array<ArrayBuffer>): SessionState {
  framer.reset();
  let result: SessionState = NOTHING;
  let lost = false;
  for (let at = 0; at < bytes.length;) {
    const from = at;
    at = framer.step(bytes, at, bytes.length);
    if (!framer.finished) break;
    const body = framer.bodyStart;
    switch (framer.type) {
      case PARSE: {
        const named = bytes[body] !== 0;
        if (named) {
          add(STATEMENT_KEY + cstring(body), bytes.slice(from, at));
        }
        // What is prepared may SET or CREATE TEMP: it is taken for executed.
        const text = bytes.indexOf(0, body) + 1;
        if (mayTouchState(bytes, text, at)) {
          const sql = cstring(text);
          // What has a name runs later, and more than once.
          if (!named && end(sql)) break;
          const state = queryState(sql);
          const isUnknown = PARAMETER.test(sql) || isOfSeveralNames(sql);
          if (state === "mixed" || state === "pure" && isUnknown) {
            lost = true;
          } else if (state === "pure") {
            add(stateKey(sql), queryMessage(sql), named);
          }
        }
        break;
      }
      case CLOSE:
        if (bytes[body] === 0x53 /* S: statement */) {
          close(STATEMENT_KEY + cstring(body + 1));
        }
        break;
      case QUERY: {
        if (!mayTouchState(bytes, body, at)) break;
        const sql = cstring(body);
        if (end(sql)) break;
        const state = queryState(sql);
        if (state === "mixed" || state === "pure" && isOfSeveralNames(sql)) {
          lost = true;
        } else if (state === "pure") {
          add(stateKey(sql), bytes.slice(from, at));
        }
      }
    }
  }
  return lost ? { ...result, lost } : result;

  function open(): SessionState {
    if (result === NOTHING) result = { ...NOTHING, repeat: [], closed: [] };
    return result;
  }
  function add(
    key: string,
    message: Uint8Array<ArrayBuffer>,
    prepared = false,
  ): void {
    open().repeat.push({ key, message, prepared });
  }
  /** What was prepared before, and what will be behind it, are two statements. */
  function close(closed: string): void {
    const state = open();
    state.closed.push(closed);
    const repeat = state.repeat.filter(({ key }) => key !== closed);
    result = { ...state, repeat };
  }
  /** Whether a text does no more than end what was there before. */
  function end(sql: string): boolean {
    if (sql.length > MAX_ENDING) return false;
    const found = ENDING.exec(bareStatement(sql))?.groups;
    if (found === undefined) return false;
    const { discard, quoted, plain } = found;
    if (discard !== undefined) {
      result = { repeat: [], closed: [], cleared: "all", lost: false };
      lost = false;
    } else if (plain?.toLowerCase() === "all") {
      const { repeat, cleared, lost } = result;
      result = {
        repeat: repeat.filter(({ key }) => !key.startsWith(STATEMENT_KEY)),
        closed: [],
        cleared: cleared === "all" ? cleared : "statements",
        lost,
      };
    } else {
      const name = quoted?.replaceAll('""', '"') ?? plain?.toLowerCase();
      close(STATEMENT_KEY + name);
    }
    return true;
  }
  function cstring(from: number): string {
    const end = bytes.indexOf(0, from);
    return decoder.decode(bytes.slice(from, end < 0 ? bytes.length : end));
  }
}

function queryMessage(sql: string): Uint8Array<ArrayBuffer> {
  const text = encoder.encode(sql);
  const message = new Uint8Array(6 + text.length);
  message[0] = QUERY;
  new DataView(message.buffer).setInt32(1, 5 + text.length);
  message.set(text, 5);
  return message;
}

/**
 * A look at the letters, without decoding: false only if the text is one
 * statement that can't match {@linkcode STATE_STATEMENT}.
 */
function mayTouchState(bytes: Uint8Array, from: number, to: number): boolean {
  let at = skipSpace(bytes, from, to);
  // Not with indexOf: it would look through all messages behind this one.
  let end = at;
  while (end < to && bytes[end] !== SEMICOLON) end++;
  if (end < to) {
    const behind = skipSpace(bytes, end + 1, to);
    if (behind < to && bytes[behind] !== 0) return true;
  }
  const first = letter(bytes[at]);
  const second = letter(bytes[at + 1]);
  switch (first) {
    case "s":
      if (second !== "e") return false;
      if (letter(bytes[at + 2]) === "t") return true; // set
      at = skipSpace(bytes, at + 6, to); // select …
      return letter(bytes[at]) === "p" || letter(bytes[at]) === "s" ||
        mentionsTemp(bytes, at, to);
    case "w":
      return mentionsTemp(bytes, at, to);
    case "r":
      return second === "e" && letter(bytes[at + 2]) === "s";
    case "d":
      return second === "i" || second === "e" && letter(bytes[at + 2]) !== "l";
    case "p":
    case "c":
      return second === "r";
    case "l":
      return second === "i" || second === "o";
    case "u":
      return second === "n";
    case "-":
    case "/":
      return true; // a comment
    default:
      return false;
  }
}

/** Whether a word begins with "temp", as in SELECT INTO TEMP. */
function mentionsTemp(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from + 1; i < to; i++) {
    if (
      letter(bytes[i]) === "t" && SPACE[bytes[i - 1] as number] === 1 &&
      letter(bytes[i + 1]) === "e" && letter(bytes[i + 2]) === "m" &&
      letter(bytes[i + 3]) === "p"
    ) return true;
  }
  return false;
}

const SEMICOLON = 0x3b;

function skipSpace(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && SPACE[bytes[at] as number] === 1) at++;
  return at;
}

const SPACE = new Uint8Array(256);
for (const byte of [0x20, 0x09, 0x0a, 0x0b, 0x0c, 0x0d]) SPACE[byte] = 1;

/** The lower-case letters, and the two characters that open a comment. */
const LETTERS = Array.from(
  { length: 256 },
  (_, byte) => String.fromCharCode(byte).toLowerCase(),
);

function letter(byte: number | undefined): string {
  return byte === undefined ? "" : LETTERS[byte] as string;
}

/** `set search_path …` replaces an earlier `SET search_path`, a PREPARE what the name stood for; other texts stand for themselves. */
function stateKey(sql: string): string {
  const statement = bareStatement(sql);
  const head = statement.slice(0, MAX_ENDING);
  const [, quoted, plain] = PREPARED.exec(head) ?? [];
  const name = quoted?.replaceAll('""', '"') ?? plain?.toLowerCase();
  if (name !== undefined) return STATEMENT_KEY + name;
  if (statement.length > MAX_CONFIG || statement.includes(";")) return sql;
  const set = /^set\s+(?:session\s+)?([\w.]+)/i.exec(statement) ??
    /^select\s+(?:pg_catalog\s*\.\s*)?set_config\s*\(\s*'([\w.]+)'[^)]*\)$/i
      .exec(statement);
  return set ? `set ${set[1]?.toLowerCase()}` : sql;
}

/** Without spaces, comments and semicolons before and behind it. */
function bareStatement(sql: string): string {
  let statement = sql.replace(LEADING_SPACE_AND_COMMENTS, "");
  for (let before = ""; before !== statement;) {
    before = statement;
    statement = statement.trimEnd();
    if (statement.endsWith(";")) statement = statement.slice(0, -1);
    if (statement.length > MAX_ENDING) continue;
    statement = statement.replace(/(?:--[^\n]*|\/\*[^*]*\*\/)$/, "");
  }
  return statement;
}

/** Whether a text has several statements, and one that gives or takes a name. */
function isOfSeveralNames(sql: string): boolean {
  return NAMING.test(sql.slice(0, MAX_CONFIG)) &&
    bareStatement(sql).includes(";");
}
