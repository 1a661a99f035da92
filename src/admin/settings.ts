import { AdminError, quote, SQLSTATE } from "./admin_error.ts";

/**
 * The PostgreSQL parameters that drivers read and set, with what the console
 * says of them. It always talks UTF-8, ISO dates and UTC.
 */
interface Definition {
  readonly name: string;
  readonly value: string;
  /** Told at login and on change, by ParameterStatus. */
  readonly reported?: true;
  /** What SET does: default is to keep the value for SHOW. */
  readonly set?: "ignored" | "refused";
}

/** Older than the psql of any kept distribution, so that psql does not warn of a newer server. */
const SERVER_VERSION = "14.0";
const SERVER_VERSION_NUM = "140000";

const DEFINITIONS: readonly Definition[] = [
  { name: "application_name", value: "", reported: true },
  { name: "client_encoding", value: "UTF8", reported: true, set: "ignored" },
  { name: "DateStyle", value: "ISO, MDY", reported: true, set: "ignored" },
  { name: "default_transaction_read_only", value: "off", reported: true },
  { name: "in_hot_standby", value: "off", reported: true, set: "refused" },
  { name: "integer_datetimes", value: "on", reported: true, set: "refused" },
  { name: "IntervalStyle", value: "postgres", reported: true, set: "ignored" },
  { name: "is_superuser", value: "off", reported: true, set: "refused" },
  { name: "server_encoding", value: "UTF8", reported: true, set: "refused" },
  {
    name: "server_version",
    value: SERVER_VERSION,
    reported: true,
    set: "refused",
  },
  { name: "session_authorization", value: "", reported: true, set: "refused" },
  {
    name: "standard_conforming_strings",
    value: "on",
    reported: true,
    set: "ignored",
  },
  { name: "TimeZone", value: "UTC", reported: true, set: "ignored" },
  { name: "bytea_output", value: "hex" },
  { name: "client_min_messages", value: "notice" },
  { name: "default_transaction_isolation", value: "read committed" },
  { name: "extra_float_digits", value: "1" },
  { name: "idle_in_transaction_session_timeout", value: "0" },
  { name: "jit", value: "off" },
  { name: "lock_timeout", value: "0" },
  { name: "max_identifier_length", value: "63", set: "refused" },
  { name: "search_path", value: "" },
  { name: "server_version_num", value: SERVER_VERSION_NUM, set: "refused" },
  { name: "statement_timeout", value: "0" },
  { name: "synchronous_commit", value: "on" },
  { name: "transaction_isolation", value: "read committed" },
  { name: "transaction_read_only", value: "off" },
];

const BY_NAME: ReadonlyMap<string, Definition> = new Map(
  DEFINITIONS.map((definition) => [definition.name.toLowerCase(), definition]),
);

/** Whether SHOW and SET know a parameter of this name. */
export function isParameter(name: string): boolean {
  return BY_NAME.has(name.toLowerCase());
}

/** Bound in characters of a value that SET keeps. */
const MAX_VALUE_LENGTH = 256;
const ENCODINGS = ["UTF8", "UTF-8", "UNICODE", "SQL_ASCII"];

/** The parameters of one console session. Names are matched without regard to case. */
export class Settings {
  readonly #values: Map<string, string>;
  readonly #initial: ReadonlyMap<string, string>;
  readonly #changed = new Map<string, string>();

  constructor(version: string, user: string, applicationName: string) {
    this.#initial = new Map([
      ...DEFINITIONS.map(({ name, value }) => [name, value] as const),
      ["server_version", `${SERVER_VERSION} (PgDog Mirror ${version})`],
      ["session_authorization", user],
      ["application_name", applicationName.slice(0, MAX_VALUE_LENGTH)],
    ]);
    this.#values = new Map(this.#initial);
  }

  /** What PostgreSQL reports at login. */
  reported(): [name: string, value: string][] {
    return DEFINITIONS.filter(({ reported }) => reported).map(({ name }) => [
      name,
      this.get(name),
    ]);
  }

  /** What changed since the last call, of that which is reported. */
  takeChanges(): [name: string, value: string][] {
    const changes = [...this.#changed];
    this.#changed.clear();
    return changes;
  }

  get(name: string): string {
    return this.#values.get(definitionOf(name).name) ?? "";
  }

  all(): [name: string, value: string][] {
    return [...this.#values];
  }

  /** @throws {AdminError} if the value cannot be taken, and it would be a lie to accept it */
  set(name: string, value: string): void {
    const definition = definitionOf(name);
    if (definition.set === "refused") {
      throw new AdminError(
        SQLSTATE.cannotChangeNow,
        `parameter ${quote(definition.name)} cannot be changed`,
      );
    }
    if (
      definition.name === "client_encoding" &&
      !ENCODINGS.includes(value.toUpperCase())
    ) {
      throw new AdminError(
        SQLSTATE.featureNotSupported,
        `client_encoding ${quote(value)} is not supported, only UTF8 is`,
      );
    }
    if (definition.set === "ignored") return;
    this.#keep(definition, value.slice(0, MAX_VALUE_LENGTH));
  }

  /** RESET name; without a name RESET ALL. */
  reset(name?: string): void {
    const definitions = name === undefined ? DEFINITIONS : [definitionOf(name)];
    for (const definition of definitions) {
      this.#keep(definition, this.#initial.get(definition.name) ?? "");
    }
  }

  #keep(definition: Definition, value: string): void {
    if (this.#values.get(definition.name) === value) return;
    this.#values.set(definition.name, value);
    if (definition.reported) this.#changed.set(definition.name, value);
  }
}

function definitionOf(name: string): Definition {
  const definition = BY_NAME.get(name.toLowerCase());
  if (definition !== undefined) return definition;
  throw new AdminError(
    SQLSTATE.undefinedParameter,
    `unrecognized configuration parameter ${quote(name)}`,
  );
}
