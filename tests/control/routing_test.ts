import assert from "node:assert/strict";
import {
  parseConfig,
  type ServerTls,
  type TlsMaterial,
} from "../../src/config/mod.ts";
import { Routing } from "../../src/control/routing.ts";
import { NO_TLS } from "../support/no_tls.ts";

const TOML = `
[[databases]]
name = "db"
host = "10.0.0.1"
[[databases]]
name = "mirror"
host = "10.0.0.2"
user = "mirror"
[[mirroring]]
source_db = "db"
destination_db = "mirror"
[admin]
password = "secret"`;

const SERVER: ServerTls = {
  verify: "require",
  host: "10.0.0.2",
  ca: undefined,
  identity: undefined,
};

Deno.test("Routing: a mirror's connections begin anew when its own TLS changes", () => {
  let material: TlsMaterial = NO_TLS;
  const routing = new Routing({
    adminPort: 1,
    workers: 1,
    descriptors: 1_000,
    tls: (server) => ({ server, clearAllowed: false }),
    material: () => material,
    auth: () => undefined,
  });
  const { config } = parseConfig(TOML, "test.toml", {});
  const addresses = new Map(
    config.databases.map(({ host }) => [host, host]),
  );
  const way = (servers: TlsMaterial["servers"]) => {
    material = { ...NO_TLS, servers };
    return routing.settings(config, addresses, new Set()).mirror.targets[0]
      ?.tls;
  };
  const first = way({ mirror: SERVER });
  assert.deepEqual(way({ mirror: SERVER, db: SERVER }), first);
  for (
    const changed of [{ verify: "verify-full" }, { ca: "another" }] as const
  ) {
    assert.notDeepEqual(way({ mirror: { ...SERVER, ...changed } }), first);
  }
});
