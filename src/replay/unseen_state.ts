import type { Catalog } from "../catalog/mod.ts";
import type { Shape } from "../sql/shape.ts";

/** Functions that leave something in a session (manual, "System Administration Functions", "Mathematical Functions"). */
const LEAVING: ReadonlySet<string> = new Set([
  "set_config",
  "setseed",
  "pg_advisory_lock",
  "pg_advisory_lock_shared",
  "pg_try_advisory_lock",
  "pg_try_advisory_lock_shared",
]);
/** What says so in a function's text. */
const WORDS: ReadonlySet<string> = new Set([...LEAVING, "temp", "temporary"]);

/**
 * Whether a statement may leave something in its session that nobody sees by its
 * first words: by a function that it calls wherever, or a block.
 */
export function mayLeaveUnseen(
  { calls, danger }: Shape,
  catalog: Catalog,
): boolean {
  const all = danger === undefined ? calls : [...calls, ...danger.calls];
  return danger?.hasCode === true || all.some((name) => LEAVING.has(name)) ||
    all.length > 0 && catalog.functionsMention(all, WORDS);
}
