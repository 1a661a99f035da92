import type { MirrorFacts } from "../mailbox/mod.ts";
import { askServer, type QuestionOptions } from "./question.ts";

const SQL =
  "select current_setting('server_version'), pg_is_in_recovery(), (select count(*) from pg_stat_subscription)";

/** Where a mirror is asked. */
export interface FactsOptions
  extends Omit<QuestionOptions, "sql" | "onAnswer"> {
  readonly onFacts: (facts: MirrorFacts) => void;
}

/** Asks a mirror once what it is. */
export function askForFacts({ onFacts, ...options }: FactsOptions): void {
  askServer({
    ...options,
    sql: SQL,
    onAnswer([row]) {
      const [version, inRecovery, subscriptions] = row ?? [];
      if (version === undefined) return options.onFailed("no row", true);
      onFacts({
        version,
        inRecovery: inRecovery === "t",
        subscriptions: Number(subscriptions),
      });
    },
  });
}
