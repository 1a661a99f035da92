import { ServerError } from "./answer.ts";
import { CatalogConnection, type ConnectionOptions } from "./connection.ts";
import type { Finding } from "./finding.ts";
import { byName, isTrue, rowsOf, type Snapshot } from "./snapshot.ts";

/** Users that are tried on one server. */
const MAX_USERS = 32;
/** For one login of one of them. */
const TRY_MS = 5_000;
/** insufficient_privilege */
const FORBIDDEN = "42501";

/** Where to log in, whoever it is. */
export type Entrance = Omit<ConnectionOptions, "user" | "password">;

/** A role to try, and what its server says of it. */
export interface Candidate {
  readonly user: string;
  /** A superuser or a replication role, who may copy the whole server. Undefined: not known. */
  readonly mighty: boolean | undefined;
}

/** What a server that lets a role in says of it. */
interface Admission {
  readonly mighty?: boolean;
  readonly place?: string;
}

/**
 * Tries which users a server lets in from here without a password. Where the
 * proxy relays authentication, the server sees the proxy's address and the
 * proxy's user of the system: what pg_hba.conf opens to those by trust, peer,
 * ident or cert is open to every client. Each login ends at once.
 *
 * @param candidates the most dangerous first; beyond a bound the rest is not tried.
 */
export async function tryEntrance(
  side: "primary" | "mirror",
  entrance: Entrance,
  candidates: readonly Candidate[],
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { user, mighty } of candidates.slice(0, MAX_USERS)) {
    const open = await letIn(entrance, user, false);
    if (open === "nobody") return findings;
    const isMighty = mighty ?? open?.mighty;
    if (open !== undefined) {
      const from = `lets it in from ${open.place ?? "here"}`;
      findings.push(openDoor(side, user, isMighty ?? false, from));
    }
    // Lines for replication are others than those for all databases.
    if (isMighty === false) continue;
    const copies = await letIn(entrance, user, true);
    if (copies === "nobody") return findings;
    if (copies === undefined) continue;
    findings.push(openDoor(side, user, true, "lets it in for replication"));
  }
  if (candidates.length > MAX_USERS) {
    findings.push({
      severity: "note",
      group: "access",
      rule: "passwordless_untried",
      object: side,
      what:
        `${MAX_USERS} of ${candidates.length} roles were tried without a password`,
      advice: "Look at pg_hba.conf for the others",
    });
  }
  return findings;
}

/** Whom to try on a server: superusers, replication roles, those of the configuration, then everybody. */
export function candidatesOf(
  snapshot: Snapshot | undefined,
  known: readonly (string | undefined)[],
): Candidate[] {
  const roles = snapshot === undefined
    ? []
    : rowsOf(snapshot, "roles").filter(({ can_login }) => isTrue(can_login));
  const superusers = roles.filter(({ superuser }) => isTrue(superuser));
  const replicating = roles.filter(({ replication }) => isTrue(replication));
  const mighty = byName([...superusers, ...replicating]);
  const all = byName(roles);
  const named = known.filter((user) => user !== undefined && user !== "");
  const users = new Set([
    ...mighty.keys(),
    "postgres",
    ...named as string[],
    ...all.keys(),
  ]);
  return [...users].map((user) => ({
    user,
    mighty: all.has(user) ? mighty.has(user) : undefined,
  }));
}

/** @returns undefined: not this user; "nobody": the server can't be asked. */
async function letIn(
  entrance: Entrance,
  user: string,
  replication: boolean,
): Promise<Admission | "nobody" | undefined> {
  let authenticated = false;
  let connection: CatalogConnection | undefined;
  try {
    connection = await CatalogConnection.open({
      ...entrance,
      user,
      password: undefined,
      connectTimeoutMs: Math.min(TRY_MS, entrance.connectTimeoutMs),
      queryTimeoutMs: TRY_MS,
      replication,
      onAuthenticated: () => authenticated = true,
    });
    if (replication) return {};
    const [row = {}] = await connection.query(
      `select rolsuper or rolreplication as mighty,
         coalesce(host(inet_client_addr()), 'a unix socket') as place
       from pg_roles where rolname = current_user`,
    );
    return { mighty: isTrue(row.mighty), ...row.place && { place: row.place } };
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    if (authenticated) return isShut(error, replication) ? undefined : {};
    return error.credentials || error.sqlstate !== undefined
      ? undefined
      : "nobody";
  } finally {
    connection?.close();
  }
}

/**
 * Whether a role that needed no password is no role, or may not log in or
 * replicate at all. Any other refusal, as for its connection limit, passes.
 */
function isShut(error: ServerError, replication: boolean): boolean {
  return error.credentials || (replication && error.sqlstate === FORBIDDEN);
}

function openDoor(
  side: "primary" | "mirror",
  user: string,
  isMighty: boolean,
  how: string,
): Finding {
  return {
    severity: isMighty ? "error" : "warning",
    group: "access",
    rule: "passwordless",
    object: `role ${user}`,
    what: `${
      isMighty ? "may copy the whole server, and " : ""
    }needs no password from here, so no client of the proxy does who says this name`,
    [side]: how,
    advice:
      'In pg_hba.conf ask for scram-sha-256 from the proxy\'s address, for replication, too, before any line with trust, peer, ident or cert; or set auth_type = "scram" with [[users]]',
  };
}
