import { list, type Node } from "./tree.ts";

/** What a statement says of isolation levels. */
export interface Isolation {
  /** Of the transaction that it is in, or of those behind it in the session. */
  readonly of: "transaction" | "session";
  /** Undefined: the one that the session began with. */
  readonly level: IsolationLevel | undefined;
}

/** Whether a transaction sees one snapshot, or each statement its own. */
export type IsolationLevel = "snapshot" | "read committed";

const DEFAULT = "default_transaction_isolation";

/** What a statement's tree says of isolation levels; undefined: nothing. */
export function isolationOf(type: string, body: Node): Isolation | undefined {
  switch (type) {
    case "TransactionStmt":
      return optionOf(body.options, "transaction");
    case "DiscardStmt":
      return body.target === "DISCARD_ALL" ? ORIGINAL : undefined;
    case "VariableSetStmt":
      return settingOf(body);
    default:
      return undefined;
  }
}

const ORIGINAL: Isolation = { of: "session", level: undefined };

function settingOf(
  { kind, name, args, is_local }: Node,
): Isolation | undefined {
  if (kind === "VAR_RESET_ALL") return ORIGINAL;
  if (kind === "VAR_SET_MULTI") {
    if (name === "TRANSACTION") return optionOf(args, "transaction");
    if (name === "SESSION CHARACTERISTICS") return optionOf(args, "session");
    return undefined;
  }
  const setting = String(name).toLowerCase();
  // Until the transaction's end it is the default of no other one.
  if (setting === DEFAULT && is_local !== true) {
    return kind === "VAR_SET_VALUE" ? levelIn(args, "session") : ORIGINAL;
  }
  return setting === "transaction_isolation" && kind === "VAR_SET_VALUE"
    ? levelIn(args, "transaction")
    : undefined;
}

/** @param options of BEGIN and its kin: read only, deferrable, the level. */
function optionOf(
  options: unknown,
  of: Isolation["of"],
): Isolation | undefined {
  for (const { DefElem } of list(options)) {
    const { defname, arg } = (DefElem ?? {}) as Node;
    if (defname === "transaction_isolation") return levelIn([arg], of);
  }
  return undefined;
}

function levelIn(args: unknown, of: Isolation["of"]): Isolation {
  const [value] = list(args);
  const { sval } = (value?.A_Const ?? {}) as { sval?: { sval?: string } };
  return { of, level: levelNamed(sval?.sval ?? "") };
}

/** The level of a setting's value. */
export function levelNamed(value: string): IsolationLevel {
  return SNAPSHOT_LEVEL.test(value) ? "snapshot" : "read committed";
}

/** Levels at which a transaction sees one snapshot. */
export const SNAPSHOT_LEVEL = /^(?:serializable|repeatable read)$/i;

/**
 * The default level that a client asks for when it connects, by its own
 * parameter or one in `options` (`-c name=value`, `--name=value`; a backslash
 * escapes a space).
 *
 * @param parameters of the startup packet, `name\0value\0…`.
 */
export function startupIsolation(parameters: string): IsolationLevel {
  const texts = parameters.split("\0");
  let level: IsolationLevel = "read committed";
  let own: IsolationLevel | undefined;
  for (let i = 0; i + 1 < texts.length; i += 2) {
    const [name = "", value = ""] = [texts[i], texts[i + 1]];
    if (name.toLowerCase() === DEFAULT) own = levelNamed(value);
    if (name !== "options") continue;
    for (const [, text = ""] of value.matchAll(IN_OPTIONS)) {
      level = levelNamed(text.replaceAll(/\\(.)/g, "$1"));
    }
  }
  // The server takes what stands in options first.
  return own ?? level;
}

const IN_OPTIONS =
  /(?:^|\s)(?:-c\s*|--)default[_-]transaction[_-]isolation=((?:\\.|\S)*)/gi;
