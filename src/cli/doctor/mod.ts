/**
 * `check --connect`: logs in to each source database and its mirror, and
 * compares what a person compares on the eve of a migration.
 *
 * @module
 */

import { readMaterial } from "../../control/certificates.ts";
import {
  type Config,
  ConfigError,
  type Database,
  formatProblem,
  loadConfig,
  type TlsMaterial,
} from "../../config/mod.ts";
import { TlsContexts } from "../../tls/mod.ts";
import { EXIT_ERRORS, EXIT_USAGE, EXIT_WARNINGS } from "../exit_codes.ts";
import { ServerError } from "./answer.ts";
import { compareSnapshots } from "./compare.ts";
import { CatalogConnection, type ConnectionOptions } from "./connection.ts";
import {
  type Credentials,
  type CredentialSources,
  readPasswordFile,
  SOURCE_HINT,
  sourceCredentials,
} from "./credentials.ts";
import { candidatesOf, tryEntrance } from "./entrance.ts";
import type { Finding } from "./finding.ts";
import { inspectLog } from "./inspect_log.ts";
import {
  type PairReport,
  reportJson,
  reportText,
  type Side,
  totalCounts,
} from "./output.ts";
import type { SetName } from "./sets.ts";
import { rowOf, type Snapshot } from "./snapshot.ts";
import { STATEMENT_TIMEOUT_MS, takeSnapshot } from "./take_snapshot.ts";

const ROLES_UNKNOWN =
  "could not be asked, so of its roles only postgres and the configuration's users were tried without a password";

export interface DoctorOptions {
  readonly configPath: string;
  /** More `[[users]]`. */
  readonly usersPath?: string | undefined;
  readonly format: "text" | "json";
  /** Compares even if the mirror is the primary itself. */
  readonly force: boolean;
  /** For source databases. */
  readonly user?: string;
  readonly passwordFile?: string;
}

/**
 * Prints what was found.
 *
 * @returns 0: nothing above a note; 1: warnings; 2: errors, a server that could not be asked, or a wrong configuration.
 */
export async function doctor(options: DoctorOptions): Promise<number> {
  const { configPath: path, passwordFile } = options;
  const env = Deno.env.toObject();
  let config: Config;
  try {
    const loaded = await loadConfig({
      path,
      usersPath: options.usersPath,
      env,
    });
    config = loaded.config;
    for (const warning of loaded.warnings) {
      console.error(`warning: ${formatProblem(warning)}`);
    }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) console.error(formatProblem(problem));
    return EXIT_USAGE;
  }
  let material: TlsMaterial;
  try {
    const read = await readMaterial(config);
    material = read.material;
    if (read.version !== "") console.error(`note: TLS by ${read.version}`);
  } catch (error) {
    console.error(`${path}: ${(error as Error).message}`);
    return EXIT_USAGE;
  }
  const contexts = new TlsContexts(material);
  const sources: CredentialSources = {
    env,
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(passwordFile === undefined
      ? {}
      : { password: await readPasswordFile(passwordFile) }),
  };
  const setup: Setup = { config, material, contexts, sources };
  const pairs: PairReport[] = [];
  for (const entry of config.mirroring) {
    pairs.push(await examine(setup, entry, options.force));
  }
  for (const database of config.databases) {
    if (isMirrored(config, database)) continue;
    pairs.push(await examineAlone(setup, database));
  }
  console.log(
    options.format === "json" ? reportJson(pairs) : reportText(pairs),
  );
  const { error, warning } = totalCounts(pairs);
  return error > 0 ? EXIT_ERRORS : warning > 0 ? EXIT_WARNINGS : 0;
}

/** A side that was asked, or why not. */
interface Asked {
  readonly connection?: CatalogConnection;
  readonly finding?: Finding;
}

/** The configuration, what its TLS files hold, and logins that are not in it. */
interface Setup {
  readonly config: Config;
  readonly material: TlsMaterial;
  readonly contexts: TlsContexts;
  readonly sources: CredentialSources;
}

/** It is a source or a destination. */
function isMirrored({ mirroring }: Config, { name }: Database): boolean {
  return mirroring.some(({ source_db, destination_db }) =>
    source_db === name || destination_db === name
  );
}

/** Who comes in to a database of the proxy's without a password. */
async function entrances(
  setup: Setup,
  side: "primary" | "mirror",
  database: Database,
  snapshot: Snapshot | undefined,
): Promise<Finding[]> {
  const { general, databases, users } = setup.config;
  // Else clients prove themselves to the proxy, and the server knows that only.
  if (general.auth_type !== "relay") return [];
  const known = [
    sourceCredentials(database, setup.sources)?.user,
    ...databases.map(({ user }) => user),
    ...users.map(({ name }) => name),
  ];
  return await tryEntrance(
    side,
    connectionOptions(setup, database),
    candidatesOf(snapshot, known),
  );
}

async function examine(
  setup: Setup,
  { source_db, destination_db, level }: Config["mirroring"][number],
  force: boolean,
): Promise<PairReport> {
  const { config, sources } = setup;
  const source = databaseNamed(config, source_db);
  const destination = databaseNamed(config, destination_db);
  const login = sourceCredentials(source, sources);
  // The configuration was checked: a destination has a user.
  const mirrorLogin = {
    user: destination.user ?? "",
    password: destination.password,
  };
  // Both are open at once: who restarted in between is no other server.
  const [primary, mirror] = await Promise.all([
    connectSource(connectionOptions(setup, source), login),
    connect("mirror", {
      ...connectionOptions(setup, destination),
      ...mirrorLogin,
    }),
  ]);
  try {
    // The primary first: then a sequence that is behind on the mirror really is.
    const before = await snapshotOf("primary", primary, login?.user ?? "");
    const after = await snapshotOf("mirror", mirror, mirrorLogin.user);
    const compared = after.snapshot === undefined
      ? []
      : compareSnapshots(before.snapshot, after.snapshot, { level, force });
    const logs = config.general.mirror_values === "log" && before.snapshot
      ? inspectLog(before.snapshot, source.user)
      : [];
    return {
      primary: sideOf(source, before.snapshot),
      mirror: sideOf(destination, after.snapshot),
      findings: [
        ...before.findings,
        ...after.findings,
        ...compared,
        ...logs,
        ...await entrances(setup, "primary", source, before.snapshot),
        ...await entrances(setup, "mirror", destination, after.snapshot),
      ],
    };
  } finally {
    primary.connection?.close();
    mirror.connection?.close();
  }
}

/** A database without a mirror: nothing but who comes in. */
async function examineAlone(
  setup: Setup,
  database: Database,
): Promise<PairReport> {
  if (setup.config.general.auth_type !== "relay") {
    return { primary: sideOf(database, undefined), findings: [] };
  }
  const login = sourceCredentials(database, setup.sources);
  const asked = await connectSource(connectionOptions(setup, database), login);
  try {
    const { snapshot, findings } = await snapshotOf(
      "primary",
      asked,
      login?.user ?? "",
      ["server", "roles"],
    );
    return {
      primary: sideOf(database, snapshot),
      findings: [
        ...findings.map((finding) => ({ ...finding, what: ROLES_UNKNOWN })),
        ...await entrances(setup, "primary", database, snapshot),
      ],
    };
  } finally {
    asked.connection?.close();
  }
}

function connectSource(
  options: Omit<ConnectionOptions, keyof Credentials>,
  login: Credentials | undefined,
): Promise<Asked> {
  if (login !== undefined) return connect("primary", { ...options, ...login });
  return Promise.resolve({
    finding: problem(
      "primary",
      "credentials",
      "no user is known to log in with",
      SOURCE_HINT,
    ),
  });
}

async function connect(
  side: "primary" | "mirror",
  options: ConnectionOptions,
): Promise<Asked> {
  try {
    return { connection: await CatalogConnection.open(options) };
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    const rule = error.credentials ? "credentials" : "connect";
    const advice = !error.credentials
      ? "Check host, port, database_name and tls_verify, and that the server listens"
      : side === "primary"
      ? SOURCE_HINT
      : "Check user and password of the destination in [[databases]]";
    return { finding: problem(side, rule, error.message, advice) };
  }
}

async function snapshotOf(
  side: "primary" | "mirror",
  { connection, finding }: Asked,
  user: string,
  sets?: readonly SetName[],
): Promise<{ snapshot?: Snapshot; findings: readonly Finding[] }> {
  if (connection === undefined) {
    return { findings: finding === undefined ? [] : [finding] };
  }
  try {
    return {
      snapshot: await takeSnapshot(connection, user, sets),
      findings: [],
    };
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    const advice = "Ask again; nothing was compared with this server";
    return { findings: [problem(side, "connect", error.message, advice)] };
  }
}

function problem(
  side: "primary" | "mirror",
  rule: "connect" | "credentials",
  reason: string,
  advice: string,
): Finding {
  return {
    severity: "error",
    group: "connection",
    rule,
    object: side,
    what: side === "primary"
      ? "could not be asked, so only the mirror's own catalogs were looked at"
      : "could not be asked, so nothing was compared",
    [side]: reason,
    advice,
  };
}

function databaseNamed(config: Config, name: string): Database {
  // Cross-checked when the configuration was loaded.
  return config.databases.find((database) =>
    database.name === name
  ) as Database;
}

function connectionOptions(
  { config, material, contexts }: Setup,
  database: Database,
) {
  const { connect_timeout, mirror_cleartext_password_allowed } = config.general;
  const tls = material.servers[database.name];
  return {
    host: database.host,
    port: database.port,
    tls: tls && {
      contexts,
      name: database.name,
      clearAllowed: tls.verify === "prefer",
    },
    database: database.database_name ?? database.name,
    cleartextAllowed: mirror_cleartext_password_allowed,
    connectTimeoutMs: connect_timeout,
    queryTimeoutMs: STATEMENT_TIMEOUT_MS + connect_timeout,
  };
}

function sideOf(database: Database, snapshot: Snapshot | undefined): Side {
  const { name, host, port, database_name = name } = database;
  const version = snapshot && rowOf(snapshot, "server").version;
  return {
    name,
    address: `${host}:${port}/${database_name}`,
    version: version ?? undefined,
  };
}
