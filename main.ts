/**
 * PgDog Mirror: the program. The only file that sees both `src/` and `plugins/`.
 *
 * @module
 */

import { dashboard } from "./plugins/dashboard/mod.ts";
import { history } from "./plugins/history/mod.ts";
import { log } from "./plugins/log/mod.ts";
import { mirrorStats } from "./plugins/mirror_stats/mod.ts";
import { otlp } from "./plugins/otlp/mod.ts";
import { prometheus } from "./plugins/prometheus/mod.ts";
import { judgeFleet, readiness } from "./plugins/readiness/mod.ts";
import { main } from "./src/cli/mod.ts";

if (import.meta.main) {
  await main(Deno.args, [
    mirrorStats,
    history,
    readiness,
    prometheus,
    dashboard,
    otlp,
    log,
  ], judgeFleet);
}
