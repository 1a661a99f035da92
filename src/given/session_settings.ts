import type { Shape } from "../sql/shape.ts";

const decoder = new TextDecoder();

/**
 * What a session has set of that by which the catalog was asked: who may write
 * what, and which relation a name stands for. What was set is not followed back.
 */
export class SessionSettings {
  /** Another role than the one whose rights are known. */
  hasOtherRole = false;
  /** Another search_path than the mirror's user has. */
  hasOtherPath: boolean;
  readonly #beginsWithPath: boolean;

  /** @param parameters the client's startup parameters, `name\0value\0…`. */
  constructor(parameters: string) {
    this.#beginsWithPath = PATH.test(parameters);
    this.hasOtherPath = this.#beginsWithPath;
  }

  /** A new connection. */
  reset(): void {
    this.hasOtherRole = false;
    this.hasOtherPath = this.#beginsWithPath;
  }

  /** The statements of the text in `bytes[from, to)` are sent. */
  note(
    shapes: readonly Shape[],
    bytes: Uint8Array,
    from: number,
    to: number,
  ): void {
    for (const { isControl, text, calls } of shapes) {
      if (isControl && ROLE.test(text)) this.hasOtherRole = true;
      if (isControl && SET_PATH.test(text)) this.hasOtherPath = true;
      if (!calls.includes("set_config")) continue;
      const names = settingsIn(decoder.decode(bytes.slice(from, to)));
      if (names.some((name) => name === undefined || ROLES.has(name))) {
        this.hasOtherRole = true;
      }
      if (names.some((name) => name === undefined || PATH.test(name))) {
        this.hasOtherPath = true;
      }
    }
  }
}

/** Whether a statement may set one of them. */
export function setsSetting({ isControl, text, calls }: Shape): boolean {
  return isControl && (ROLE.test(text) || SET_PATH.test(text)) ||
    calls.includes("set_config");
}

/** The settings that set_config() sets in a text; undefined: one of them is not told. */
function settingsIn(sql: string): readonly (string | undefined)[] {
  return [...sql.matchAll(SET_CONFIG)].map(([, name]) => name?.toLowerCase());
}

const ROLE =
  /^set\s+(?:(?:local|session)\s+)?(?:role\b|session\s+authorization\b)/i;
const SET_PATH =
  /^set\s+(?:(?:local|session)\s+)?(?:"?search_path"?|schema)(?![\w$])/i;
const PATH = /search[_-]path/i;
const ROLES: ReadonlySet<string> = new Set(["role", "session_authorization"]);
/** Its first argument, if that is a plain literal. */
const SET_CONFIG =
  /\bset_config"?\s*\(\s*(?:'([\w.]+)'\s*(?:::\s*text\s*)?,)?/gi;
