import { randomBytes } from "node:crypto";
import {
  AUTH_OK,
  AUTH_SASL,
  AUTH_SASL_CONTINUE,
  AUTH_SASL_FINAL,
  AUTHENTICATION,
  BACKEND_KEY_DATA,
  CANCEL_REQUEST,
  decodeStartupMessage,
  GSSENC_REQUEST,
  NEGOTIATE_PROTOCOL_VERSION,
  PARAMETER_STATUS,
  PASSWORD,
  PROTOCOL_3_0,
  PROTOCOL_MAJOR,
  Reader,
  SSL_REQUEST,
  StartupError,
  type StartupMessage,
  startupParameter,
} from "../wire/mod.ts";
import {
  createVerifier,
  looksLikeVerifier,
  mockVerifier,
  parseVerifier,
  ScramError,
  ScramServer,
  type ScramVerifier,
} from "../wire/scram.ts";
import { AdminError, quote, SQLSTATE } from "./admin_error.ts";
import type { Peer } from "./peer.ts";
import type { Role } from "./roles.ts";
import { Settings } from "./settings.ts";

const MECHANISM = "SCRAM-SHA-256";
const encoder = new TextEncoder();

/** Who may log in, and to what. */
export interface LoginRules {
  readonly name: string;
  readonly version: string;
  /** By name; who has no password is not among them. */
  readonly users: ReadonlyMap<string, KnownUser>;
  /** Random, for the salts of unknown users. */
  readonly mockSecret: Uint8Array;
}

interface KnownUser {
  readonly role: Role;
  readonly verifier: ScramVerifier;
}

/** A user of the console; the password in plain text or as a stored `SCRAM-SHA-256$…` verifier. */
export interface AdminLogin {
  readonly user: string;
  readonly password: string | undefined;
  /** Who only reads figures; undefined: there is nobody. */
  readonly stats?: {
    readonly user: string;
    readonly password: string | undefined;
  } | undefined;
}

/** Derives keys, which blocks. */
export function loginRules(
  options: AdminLogin & { readonly name: string; readonly version: string },
): LoginRules {
  const { name, version, user, password, stats } = options;
  const users = new Map<string, KnownUser>();
  const add = (user: string, password: string | undefined, role: Role) => {
    if (password === undefined || password === "") return;
    const verifier = looksLikeVerifier(password)
      ? parseVerifier(password)
      : createVerifier(password);
    users.set(user, { role, verifier });
  };
  if (stats !== undefined) add(stats.user, stats.password, "stats");
  add(user, password, "admin");
  return { name, version, users, mockSecret: randomBytes(32) };
}

/** @throws {ScramError} if `password` looks like a verifier and is none. */
export function checkLogin(password: string | undefined): void {
  if (password !== undefined && looksLikeVerifier(password)) {
    parseVerifier(password);
  }
}

export interface LoggedIn {
  readonly user: string;
  readonly role: Role;
  readonly settings: Settings;
}

/**
 * From the first byte to the point where ReadyForQuery is due.
 *
 * @returns `undefined` if the client went, sent junk, or only wanted to cancel
 * @throws {AdminError | ProtocolError | ScramError} why it cannot log in: FATAL
 */
export async function login(
  peer: Peer,
  rules: LoginRules,
  processId: number,
): Promise<LoggedIn | undefined> {
  const startup = await readStartup(peer);
  if (startup === undefined) return undefined;
  const user = startupParameter(startup, "user") ?? "";
  const database = startupParameter(startup, "database") || user;
  if (database !== rules.name) {
    throw new AdminError(
      SQLSTATE.unknownDatabase,
      `database ${quote(database)} does not exist`,
    );
  }
  negotiateVersion(peer, startup);
  if (!await authenticate(peer, rules, user)) return undefined;
  const application = startupParameter(startup, "application_name") ?? "";
  const settings = new Settings(rules.version, user, application);
  greet(peer, settings, processId);
  const role = rules.users.get(user)?.role ?? "stats";
  return { user, role, settings };
}

/** Declines encryption, at most once of each kind, until a startup message comes. */
async function readStartup(peer: Peer): Promise<StartupMessage | undefined> {
  for (let requests = 0;; requests++) {
    const packet = await peer.startupPacket();
    if (packet === undefined) return undefined;
    const code = new DataView(packet.buffer, packet.byteOffset).getInt32(0);
    if (code === CANCEL_REQUEST) return undefined;
    if (code !== SSL_REQUEST && code !== GSSENC_REQUEST) {
      return decodeStartup(packet, code);
    }
    if (requests === 2) return undefined;
    await peer.send(encoder.encode("N"));
  }
}

function decodeStartup(packet: Uint8Array, protocol: number): StartupMessage {
  if (protocol >> 16 !== PROTOCOL_MAJOR) {
    throw new AdminError(
      SQLSTATE.featureNotSupported,
      `unsupported frontend protocol ${protocol >> 16}.${
        protocol & 0xffff
      }: the console supports 3.0`,
    );
  }
  try {
    return decodeStartupMessage(packet);
  } catch (error) {
    if (!(error instanceof StartupError)) throw error;
    throw new AdminError(SQLSTATE.protocolViolation, error.message);
  }
}

/** Protocol 3.2 and its `_pq_.` options are not spoken: NegotiateProtocolVersion says so. */
function negotiateVersion(peer: Peer, startup: StartupMessage): void {
  const unknown = startup.parameters.filter(([name]) =>
    name.startsWith("_pq_.")
  );
  if (startup.protocol === PROTOCOL_3_0 && unknown.length === 0) return;
  const { out } = peer;
  out.begin(NEGOTIATE_PROTOCOL_VERSION);
  // The manual says "minor"; PostgreSQL sends, and libpq reads, the whole version.
  out.int32(PROTOCOL_3_0);
  out.int32(unknown.length);
  for (const [name] of unknown) out.cstring(name);
  out.end();
}

/** SCRAM-SHA-256. An unknown user goes through the same conversation, and fails at its end. */
async function authenticate(
  peer: Peer,
  rules: LoginRules,
  user: string,
): Promise<boolean> {
  const mock = mockVerifier(user, rules.mockSecret);
  const known = rules.users.get(user)?.verifier;
  const scram = new ScramServer({ verifier: known ?? mock });
  const { out } = peer;

  out.begin(AUTHENTICATION);
  out.int32(AUTH_SASL);
  out.cstring(MECHANISM);
  out.byte(0);
  out.end();
  await peer.flush();

  const initial = await readSasl(peer, "SASLInitialResponse");
  if (initial === undefined) return false;
  const mechanism = initial.cstring("mechanism", 64);
  if (mechanism !== MECHANISM) {
    throw new AdminError(
      SQLSTATE.protocolViolation,
      `client selected an invalid SASL authentication mechanism`,
    );
  }
  const length = initial.int32("response length");
  const clientFirst = new Reader(
    initial.bytes(length, "response"),
    "SASLInitialResponse",
  ).text("response");
  initial.end();
  saslMessage(peer, AUTH_SASL_CONTINUE, step(() => scram.first(clientFirst)));
  await peer.flush();

  const response = await readSasl(peer, "SASLResponse");
  if (response === undefined) return false;
  const clientFinal = response.text("response");
  const serverFinal = step(() => scram.final(clientFinal));
  if (serverFinal === undefined) {
    throw new AdminError(
      SQLSTATE.invalidPassword,
      `password authentication failed for user ${quote(user)}`,
    );
  }
  saslMessage(peer, AUTH_SASL_FINAL, serverFinal);
  out.begin(AUTHENTICATION);
  out.int32(AUTH_OK);
  out.end();
  return true;
}

async function readSasl(
  peer: Peer,
  name: string,
): Promise<Reader | undefined> {
  const message = await peer.message();
  if (message === undefined) return undefined;
  if (message.type !== PASSWORD) {
    throw new AdminError(
      SQLSTATE.protocolViolation,
      `expected ${name}, got message type ${message.type}`,
    );
  }
  return new Reader(message.body, name);
}

function saslMessage(peer: Peer, code: number, data: string): void {
  const { out } = peer;
  out.begin(AUTHENTICATION);
  out.int32(code);
  out.bytes(encoder.encode(data));
  out.end();
}

/** A malformed SCRAM message is a break of the protocol, not a wrong password. */
function step<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof ScramError)) throw error;
    throw new AdminError(
      SQLSTATE.protocolViolation,
      `malformed SCRAM message: ${error.message}`,
    );
  }
}

function greet(peer: Peer, settings: Settings, processId: number): void {
  const { out } = peer;
  writeParameterStatus(peer, settings.reported());
  out.begin(BACKEND_KEY_DATA);
  out.int32(processId);
  // Nothing here runs long enough to be cancelled, so no key is kept.
  out.bytes(randomBytes(4));
  out.end();
}

/** One ParameterStatus for each pair. */
export function writeParameterStatus(
  peer: Peer,
  parameters: readonly (readonly [name: string, value: string])[],
): void {
  for (const [name, value] of parameters) {
    peer.out.begin(PARAMETER_STATUS);
    peer.out.cstring(name);
    peer.out.cstring(value);
    peer.out.end();
  }
}
