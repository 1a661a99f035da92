import type { Nature } from "../sql/mod.ts";
import { Definition, stronger } from "./definition.ts";

/** What the triggers of a relation do to the rows that a client writes: the columns that they set, and how far an equal server may have otherwise what they set them to. */
export type RowChanges = "all" | ReadonlyMap<string, Nature | undefined>;

/** A function that a trigger calls. */
export interface TriggerFunction {
  readonly language: string;
  readonly name: string;
  readonly body: string;
}

/** Functions in C that set the column of their first argument (manual, "spi"). */
const SETTERS: Readonly<Record<string, Nature>> = {
  moddatetime: "time",
  insert_username: "chance",
  autoinc: "chance",
};
/** Functions of the server that leave the row as it is, or make it out of itself. */
const HARMLESS: ReadonlySet<string> = new Set([
  "suppress_redundant_updates_trigger",
  "tsvector_update_trigger",
  "tsvector_update_trigger_column",
]);

const NAME = `"(?:[^"]|"")+"|[\\p{L}_][\\p{L}\\p{N}_$]*`;
const TEXT = `'(?:[^']|'')*'`;
/** `new.column`, with what may stand behind it: an element, a field. */
const FIELD = `new ?\\. ?(${NAME})(?: ?\\[[^\\]]*\\]| ?\\. ?(?:${NAME}))*`;
const BEGIN = "(?<=(?:^|;|>>|\\b(?:begin|then|else|loop)) ?)";
/** `=` assigns where a statement begins; elsewhere it compares. */
const ASSIGNMENT = new RegExp(
  `${BEGIN}${FIELD} ?(?::=|=)((?:${TEXT}|[^';])*)`,
  "giu",
);
/** All that may set NEW as a whole, or a column of it in another way. */
const OTHER_TARGET = new RegExp(
  `${BEGIN}new ?:?=|\\bfor(?:each)? new\\b|\\b(?:diagnostics|call) [^;]*\\bnew\\b`,
  "iu",
);
/** The targets of INTO, up to a word that cannot be one. */
const INTO = new RegExp(
  `\\binto (?:strict )?((?:${NAME})(?: ?[.,] ?(?:${NAME}))*)`,
  "giu",
);
const RETURNED = new RegExp(`\\breturn\\b((?:${TEXT}|[^';])*)`, "giu");
const CONDITION =
  /\b(?:if|elsif|elseif|when|while|case)\b(.*?)(?:\bthen\b|\bloop\b|;)/gi;
/** Literals whose ends are not looked for: between dollars, with an escaped quote. */
const UNREADABLE = /\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$|\\'/u;
/** Characters of a text that is looked through. */
const MAX_BODY = 16_384;
const COMMENT = new RegExp(`(${TEXT})|--[^\\n]*|/\\*[^]*?\\*/`, "g");

/**
 * What a trigger function does to NEW. The text is looked through, not parsed:
 * an assignment counts whether it is reached or not.
 *
 * @param argument the trigger's first.
 * @param natureOf what a part of the text gives.
 */
export function changesOf(
  { language, name, body }: TriggerFunction,
  argument: string,
  natureOf: (text: string) => Nature | undefined,
): RowChanges {
  if (language !== "plpgsql") {
    const nature = Object.hasOwn(SETTERS, name) ? SETTERS[name] : undefined;
    if (nature !== undefined) return new Map([[argument, nature]]);
    return HARMLESS.has(name) ? new Map() : "all";
  }
  if (body.length > MAX_BODY || UNREADABLE.test(body)) return "all";
  const text = body
    .replaceAll(COMMENT, (_, literal) => literal ?? " ")
    .replaceAll(/\s+/g, " ");
  if (OTHER_TARGET.test(text)) return "all";
  for (const [, value = ""] of text.matchAll(RETURNED)) {
    if (!/^\s*\(?\s*(?:new|old|null)\s*\)?\s*$/i.test(value)) return "all";
  }
  const changes = new Map<string, Nature | undefined>();
  const set = (column: string, nature: Nature | undefined) =>
    void changes.set(column, stronger(changes.get(column), nature));
  const whole = natureOf(text);
  const rest = text.replaceAll(ASSIGNMENT, "");
  const isChosen = [...rest.matchAll(CONDITION)].some(([, condition = ""]) =>
    natureOf(condition) !== undefined
  );
  for (const [, column = "", value = ""] of text.matchAll(ASSIGNMENT)) {
    const own = isChosen ? "chance" : natureOf(value);
    // What a variable holds was decided elsewhere in the text.
    set(unquoted(column), hasVariables(value) ? stronger(own, whole) : own);
  }
  for (const [, targets = ""] of text.matchAll(INTO)) {
    for (const target of targets.split(",")) {
      const [row = "", column] = target.split(".").map((part) => part.trim());
      if (row.toLowerCase() !== "new") continue;
      if (column === undefined) return "all";
      set(unquoted(column), isChosen ? "chance" : whole);
    }
  }
  return changes;
}

/** Words of an expression that name no variable. */
const KEYWORDS: ReadonlySet<string> = new Set(
  `all and any array as at between both case cast coalesce collate
distinct else end exists extract false for from greatest ilike in is isnull
leading least like not notnull null nullif or position similar some substring
symmetric then trailing trim true when zone time timestamp date interval
int integer bigint smallint numeric decimal real double precision text varchar
character varying boolean json jsonb uuid bytea timestamptz without with
current_date current_time current_timestamp localtime localtimestamp
current_user session_user tg_op tg_name tg_when tg_level tg_relid
tg_relname tg_table_name tg_table_schema tg_nargs tg_argv`.split(/\s+/),
);

/** Whether an expression reads more than NEW, OLD and constants: a variable, a table. */
function hasVariables(expression: string): boolean {
  const text = expression
    .replaceAll(new RegExp(TEXT, "g"), " ")
    .replaceAll(new RegExp(`\\b(?:new|old)\\s*\\.\\s*(?:${NAME})`, "giu"), " ")
    // Calls are looked at by their names, casts say types.
    .replaceAll(/::\s*[\p{L}_][\p{L}\p{N}_$.]*/gu, " ")
    .replaceAll(/[\p{L}_][\p{L}\p{N}_$.]*\s*\(/gu, " ");
  const { words } = definitionOf(text);
  return [...words].some((word) => !KEYWORDS.has(word.toLowerCase()));
}

function definitionOf(text: string): Definition {
  const definition = new Definition();
  definition.add(text);
  return definition;
}

function unquoted(name: string): string {
  return name.startsWith('"')
    ? name.slice(1, -1).replaceAll('""', '"')
    : name.toLowerCase();
}

/** What several triggers do together. */
export function together(
  a: RowChanges | undefined,
  b: RowChanges | undefined,
): RowChanges | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  if (a === "all" || b === "all") return "all";
  const both = new Map(a);
  for (const [column, nature] of b) {
    both.set(column, stronger(both.get(column), nature));
  }
  return both;
}
