import type { ChanceColumn } from "../../src/plugin/api.ts";
import type { RuleUse } from "./accepted.ts";
import type { ExcludeUse } from "./excludes.ts";
import type { Evidence } from "./evidence.ts";
import type { Verdict } from "./score.ts";

/** All that is known of a migration's readiness, at one moment. */
export interface ReadinessDocument {
  /** ISO 8601. */
  readonly at: string;
  /** When this process began. */
  readonly since: string;
  /** The time whose evidence counts; `since` in ISO 8601. */
  readonly window: { readonly since: string; readonly because: string };
  /** Of this program. */
  readonly version: string;
  readonly compare: string;
  /** Whether values of statements may be shown to who reads it. */
  readonly showsValues: boolean;
  /** Versions of the servers by the name of their database. */
  readonly servers: Readonly<Record<string, string>>;
  readonly verdict: Verdict;
  /** Rules of `[[ignore]]`, and what they accept. */
  readonly rules: readonly RuleUse[];
  /** Rules of `[[exclude]]`, what else is left out, and how often. */
  readonly excludes: readonly ExcludeUse[];
  /** The columns that chance fills, and `mirror_values`. */
  readonly given: readonly ChanceColumn[];
  readonly values: string;
  readonly mirrors: readonly {
    readonly database: string;
    readonly mirror: string;
    readonly verdict: Verdict;
    readonly evidence: Evidence;
  }[];
  /** Over all mirrors. */
  readonly evidence: Evidence;
}
