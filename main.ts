/**
 * PgDog Mirror: the program. The only file that sees both `src/` and `plugins/`.
 *
 * @module
 */

import { isRun, Signals } from "./src/cli/signals.ts";

if (import.meta.main) {
  // Before all else is loaded: a signal may come at any moment.
  const signals = isRun(Deno.args) ? new Signals() : undefined;
  const [
    { main },
    { dashboard },
    { history },
    { log },
    { mirrorStats },
    { otlp },
    { prometheus },
    { judgeFleet, readiness },
  ] = await Promise.all([
    import("./src/cli/mod.ts"),
    import("./plugins/dashboard/mod.ts"),
    import("./plugins/history/mod.ts"),
    import("./plugins/log/mod.ts"),
    import("./plugins/mirror_stats/mod.ts"),
    import("./plugins/otlp/mod.ts"),
    import("./plugins/prometheus/mod.ts"),
    import("./plugins/readiness/mod.ts"),
  ]);
  await main(
    Deno.args,
    [mirrorStats, history, readiness, prometheus, dashboard, otlp, log],
    judgeFleet,
    signals,
  );
}
