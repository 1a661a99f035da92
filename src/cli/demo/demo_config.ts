import type { Cluster } from "./cluster.ts";
import { freePort } from "./ports.ts";
import { SHOP_DATABASE } from "./schema.ts";
import { SERVER_HOST } from "./server_config.ts";

/** Of the admin console; printed, and reachable from this machine only. */
export const DEMO_ADMIN_PASSWORD = "demo";

/** A configuration file as a user would write it, on default ports if they are free. */
export function demoConfig(primary: Cluster, mirror: Cluster): string {
  const mirrorName = `${SHOP_DATABASE}_${mirror.version.split(".")[0]}`;
  return `[general]
host = "${SERVER_HOST}"
port = ${freePort(SERVER_HOST, 6432)}
admin_port = ${freePort(SERVER_HOST, 6433)}
openmetrics_host = "${SERVER_HOST}"
openmetrics_port = ${freePort(SERVER_HOST, 9090)}
log_level = "warn"

[[databases]]
name = "${SHOP_DATABASE}"
host = "${primary.host}"
port = ${primary.port}

[[databases]]
name = "${mirrorName}"
host = "${mirror.host}"
port = ${mirror.port}
database_name = "${SHOP_DATABASE}"
user = "${mirror.user}"

[[mirroring]]
source_db = "${SHOP_DATABASE}"
destination_db = "${mirrorName}"

[admin]
password = "${DEMO_ADMIN_PASSWORD}"
`;
}
