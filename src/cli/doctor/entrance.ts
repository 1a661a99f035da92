import { ServerError } from "./answer.ts";
import { CatalogConnection, type ConnectionOptions } from "./connection.ts";
import type { Finding } from "./finding.ts";
import { byName, isTrue, type Row, rowsOf, type Snapshot } from "./snapshot.ts";

/** Users that are tried on one server. */
const MAX_USERS = 32;
/** For one of them. */
const TRY_MS = 5_000;

/** Where to log in, whoever it is. */
export type Entrance = Omit<ConnectionOptions, "user" | "password">;

/**
 * Tries which users a server lets in from here without a password. Where the
 * proxy relays authentication, the server sees the proxy's address and the
 * proxy's user of the system: what pg_hba.conf opens to those by trust, peer,
 * ident or cert is open to every client. Each login ends at once.
 *
 * @param users the most dangerous first; beyond a bound the rest is not tried.
 */
export async function tryEntrance(
  side: "primary" | "mirror",
  entrance: Entrance,
  users: readonly string[],
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const user of users.slice(0, MAX_USERS)) {
    const open = await letIn(entrance, user);
    if (open === "nobody") return findings;
    if (open !== undefined) findings.push(openDoor(side, user, open));
  }
  if (users.length > MAX_USERS) {
    findings.push({
      severity: "note",
      group: "access",
      rule: "passwordless_untried",
      object: side,
      what:
        `${MAX_USERS} of ${users.length} roles were tried without a password`,
      advice: "Look at pg_hba.conf for the others",
    });
  }
  return findings;
}

/** Whom to try on a server: superusers, those of the configuration, then everybody. */
export function usersToTry(
  snapshot: Snapshot | undefined,
  known: readonly (string | undefined)[],
): string[] {
  const roles = snapshot === undefined
    ? []
    : rowsOf(snapshot, "roles").filter(({ can_login }) => isTrue(can_login));
  const [superusers, others] = [true, false].map((
    is,
  ) => [
    ...byName(roles.filter(({ superuser }) => isTrue(superuser) === is))
      .keys(),
  ]) as [string[], string[]];
  const named = known.filter((user) => user !== undefined && user !== "");
  return [
    ...new Set([...superusers, "postgres", ...named, ...others]),
  ] as string[];
}

/** @returns undefined: not this user; "nobody": the server can't be asked. */
async function letIn(
  entrance: Entrance,
  user: string,
): Promise<Row | "nobody" | undefined> {
  let connection: CatalogConnection | undefined;
  try {
    connection = await CatalogConnection.open({
      ...entrance,
      user,
      password: undefined,
      connectTimeoutMs: Math.min(TRY_MS, entrance.connectTimeoutMs),
      queryTimeoutMs: TRY_MS,
    });
    const [row = {}] = await connection.query(
      "select current_setting('is_superuser') as superuser, coalesce(host(inet_client_addr()), 'a unix socket') as place",
    );
    return row;
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    // It is in, whatever became of the question.
    if (connection !== undefined) return {};
    return error.credentials || error.sqlstate !== undefined
      ? undefined
      : "nobody";
  } finally {
    connection?.close();
  }
}

function openDoor(
  side: "primary" | "mirror",
  user: string,
  { superuser, place }: Row,
): Finding {
  const isSuperuser = superuser === "on";
  return {
    severity: isSuperuser ? "error" : "warning",
    group: "access",
    rule: "passwordless",
    object: `role ${user}`,
    what: `${
      isSuperuser ? "a superuser who " : ""
    }needs no password from here, so no client of the proxy does who says this name`,
    [side]: `lets it in from ${place ?? "here"}`,
    advice:
      'In pg_hba.conf ask for scram-sha-256 from the proxy\'s address, before any line with trust, peer, ident or cert; or set auth_type = "scram" with [[users]]',
  };
}
