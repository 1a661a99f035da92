import type { KeyPath } from "./positions.ts";
import type { Config, Database } from "./schema.ts";

/** The keys that {@linkcode serverTls} joins. */
const SERVER_KEYS = [
  "tls_verify",
  "tls_server_ca_certificate",
  "tls_server_certificate",
  "tls_server_private_key",
] as const;
type ServerKey = typeof SERVER_KEYS[number];

/** How a server is reached, as configured: paths, and where each was set. */
export interface ServerTlsKeys {
  readonly verify: Database["tls_verify"];
  readonly ca: string | undefined;
  readonly certificate: string | undefined;
  readonly key: string | undefined;
  readonly places: Readonly<Record<ServerKey, KeyPath>>;
}

/** A database's own keys, then those of `[general]`. A certificate and its key come from the same table. */
export function serverTlsKeys(config: Config, index: number): ServerTlsKeys {
  const { general } = config;
  const database = config.databases[index] as Database; // index is in range
  const own = database.tls_server_certificate !== undefined ||
    database.tls_server_private_key !== undefined;
  const place = (key: ServerKey, mine: boolean): KeyPath =>
    mine ? ["databases", index, key] : ["general", key];
  return {
    verify: database.tls_verify ?? general.tls_verify,
    ca: database.tls_server_ca_certificate ?? general.tls_server_ca_certificate,
    certificate: (own ? database : general).tls_server_certificate,
    key: (own ? database : general).tls_server_private_key,
    places: {
      tls_verify: place("tls_verify", database.tls_verify !== undefined),
      tls_server_ca_certificate: place(
        "tls_server_ca_certificate",
        database.tls_server_ca_certificate !== undefined,
      ),
      tls_server_certificate: place("tls_server_certificate", own),
      tls_server_private_key: place("tls_server_private_key", own),
    },
  };
}

/** True if a server is asked for TLS. Unix sockets never are, as in libpq. */
export function usesTls(
  verify: Database["tls_verify"],
  host: string,
): boolean {
  return verify !== undefined && verify !== "disabled" && !host.startsWith("/");
}

/** The configuration with its TLS files' paths taken relative to `resolve`'s folder. */
export function withTlsPaths(
  config: Config,
  resolve: (path: string) => string,
): Config {
  const resolved = <T extends object>(table: T, keys: readonly string[]): T => {
    const paths = Object.entries(table).filter(([key, value]) =>
      keys.includes(key) && typeof value === "string"
    );
    return {
      ...table,
      ...Object.fromEntries(paths.map(([key, path]) => [key, resolve(path)])),
    };
  };
  const files = SERVER_KEYS.filter((key) => key !== "tls_verify");
  return {
    ...config,
    general: resolved(config.general, [
      "tls_certificate",
      "tls_private_key",
      ...files,
    ]),
    databases: config.databases.map((database) => resolved(database, files)),
  };
}

type Report = (path: KeyPath, message: string) => void;

/** What can be said of TLS keys without reading a file. */
export function checkTlsKeys(
  config: Config,
  problem: Report,
  warning: Report,
): void {
  const { general, databases, mirroring } = config;
  pair(
    ["general", "tls_certificate"],
    general.tls_certificate,
    ["general", "tls_private_key"],
    general.tls_private_key,
    problem,
  );
  if (general.tls_client_required && general.tls_certificate === undefined) {
    problem(
      ["general", "tls_client_required"],
      "needs tls_certificate: without one no client can log in",
    );
  }
  databases.forEach((database, i) => {
    const keys = serverTlsKeys(config, i);
    const { places } = keys;
    pair(
      places.tls_server_certificate,
      keys.certificate,
      places.tls_server_private_key,
      keys.key,
      problem,
    );
    const isMirror = mirroring.some((m) => m.destination_db === database.name);
    const isPrimary = !isMirror ||
      mirroring.some((m) => m.source_db === database.name);
    if (keys.verify === undefined && !isLocal(database.host)) {
      warning(
        ["databases", i],
        `"${database.name}" is reached without TLS; set tls_verify, to "disabled" if that is meant`,
      );
    }
    const relayed = general.auth_type === "relay";
    if (!isPrimary || !relayed || !usesTls(keys.verify, database.host)) return;
    if (keys.certificate !== undefined) {
      warning(
        places.tls_server_certificate,
        `with relayed authentication the primary sees this certificate for every client: where its pg_hba.conf says "cert", everybody who reaches the proxy is let in`,
      );
    }
    if (general.tls_certificate !== undefined) {
      warning(
        places.tls_verify,
        `TLS on both sides of "${database.name}" and relayed authentication leave no way for SCRAM's channel binding: clients of libpq must say channel_binding=disable where the primary asks for scram-sha-256`,
      );
    }
  });
}

function pair(
  certificatePlace: KeyPath,
  certificate: string | undefined,
  keyPlace: KeyPath,
  key: string | undefined,
  problem: Report,
): void {
  if (certificate !== undefined && key === undefined) {
    problem(certificatePlace, `needs ${keyPlace.at(-1)}`);
  }
  if (certificate === undefined && key !== undefined) {
    problem(keyPlace, `needs ${certificatePlace.at(-1)}`);
  }
}

function isLocal(host: string): boolean {
  return host.startsWith("/") || host === "localhost" || host === "::1" ||
    host === "[::1]" || /^127\./.test(host);
}
