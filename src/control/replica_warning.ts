import type { MirrorFacts } from "../mailbox/mod.ts";

/** What can't work with this mirror and level, in words. */
export function replicaWarning(
  facts: MirrorFacts,
  level: "all" | "dml" | "ddl" | "read",
): string | undefined {
  if (level === "read") {
    return facts.inRecovery || facts.subscriptions > 0
      ? undefined
      : 'level = "read" replays no write, and this mirror is no replica: its data will fall behind';
  }
  if (facts.inRecovery) {
    return 'The mirror is a physical replica: every write will fail there; use level = "read"';
  }
  return facts.subscriptions > 0
    ? 'The mirror subscribes to changes: writes would happen twice there; use level = "read"'
    : undefined;
}
