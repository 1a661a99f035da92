import type { ExcludeRule } from "../stats/mod.ts";
import type { Shape } from "../sql/shape.ts";

/** What tells sessions apart: what the client has said at its login, and whose transactions it has mirrored. */
export interface SessionNames {
  readonly user: string;
  /** The source database. */
  readonly database: string;
  readonly applicationName: string;
}

/** @param parameters the client's at its startup, `name\0value\0…`. */
export function sessionNames(
  parameters: string,
  database: string,
): SessionNames {
  const texts = parameters.split("\0");
  const of = (name: string) => {
    for (let i = 0; i + 1 < texts.length; i += 2) {
      if (texts[i] === name) return texts[i + 1] ?? "";
    }
    return "";
  };
  return {
    user: of("user"),
    database,
    applicationName: of("application_name"),
  };
}

/** The rules of `[[exclude]]` that are in force. */
export class ExcludeRules {
  readonly rules: readonly ExcludeRule[];

  constructor(rules: readonly ExcludeRule[]) {
    this.rules = rules;
  }

  /** Those that may fit a session. */
  ofSession(
    { user, database, applicationName }: SessionNames,
  ): SessionExclusion {
    return new SessionExclusion(
      this.rules.filter((rule) =>
        (rule.user ?? user) === user &&
        (rule.database ?? database) === database &&
        (rule.applicationName ?? applicationName) === applicationName
      ),
    );
  }
}

/** The rules that may fit a session's statements. */
export class SessionExclusion {
  readonly #rules: readonly (ExcludeRule & { readonly regex?: RegExp })[];
  readonly #known = new WeakMap<Shape, ExcludeRule | "none">();

  constructor(rules: readonly ExcludeRule[]) {
    this.#rules = rules.map((rule) =>
      rule.pattern === undefined
        ? rule
        : { ...rule, regex: new RegExp(rule.pattern, "u") }
    );
  }

  /** The first rule that fits a transaction: one statement is enough. */
  ruleOf(cycles: readonly (readonly Shape[])[]): ExcludeRule | undefined {
    if (this.#rules.length === 0) return undefined;
    for (const cycle of cycles) {
      for (const shape of cycle) {
        const rule = this.#ruleOf(shape);
        if (rule !== "none") return rule;
      }
    }
    return undefined;
  }

  #ruleOf(shape: Shape): ExcludeRule | "none" {
    const { base = shape } = shape;
    let known = this.#known.get(base);
    if (known === undefined) {
      known = this.#rules.find(({ fingerprint, regex }) =>
        (fingerprint ?? base.fingerprint) === base.fingerprint &&
        (regex?.test(base.text) ?? true)
      ) ?? "none";
      this.#known.set(base, known);
    }
    return known;
  }
}
