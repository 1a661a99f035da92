import {
  BIND_COMPLETE,
  CLOSE_COMPLETE,
  EMPTY_QUERY_RESPONSE,
  PARAMETER_DESCRIPTION,
  PARSE_COMPLETE,
  PORTAL_SUSPENDED,
  Reader,
} from "../wire/mod.ts";
import { AdminError, quote, SQLSTATE } from "./admin_error.ts";
import type { Peer } from "./peer.ts";
import type { Plan, PlanResult } from "./plan.ts";
import { sendRows, writeComplete, writeDescription } from "./results.ts";
import { BINARY_FORMAT, TEXT_FORMAT } from "./result_types.ts";

/** Bounds of one session, so that a client cannot fill the memory with names. */
const MAX_PREPARED = 256;
const MAX_PORTALS = 64;
const MAX_NAME_BYTES = 255;
const MAX_QUERY_BYTES = 64 * 1024;

/** A prepared statement; no plan means the empty query. */
type Prepared = Plan | undefined;

interface Portal {
  readonly plan: Prepared;
  readonly formats: readonly number[];
  /** Once it ran. */
  result?: PlanResult;
  /** Rows that were sent. */
  sent: number;
  done: boolean;
}

export interface ExtendedQueryOptions {
  readonly peer: Peer;
  /** Understands a query string that must hold at most one statement. */
  readonly prepare: (query: string) => Prepared;
  readonly run: (plan: Plan) => Promise<PlanResult>;
}

/** Parse, Bind, Describe, Execute and Close of one session (manual, section "Extended Query"). */
export class ExtendedQuery {
  readonly #options: ExtendedQueryOptions;
  readonly #prepared = new Map<string, Prepared>();
  readonly #portals = new Map<string, Portal>();

  constructor(options: ExtendedQueryOptions) {
    this.#options = options;
  }

  parse(body: Uint8Array): void {
    const reader = new Reader(body, "Parse");
    const name = reader.cstring("statement name", MAX_NAME_BYTES);
    const query = reader.cstring("query", MAX_QUERY_BYTES);
    const types = reader.count("parameter type count");
    reader.bytes(4 * types, "parameter types");
    reader.end();
    // The unnamed one is replaced, and gone if the new one is not understood.
    if (name === "") this.#prepared.delete(name);
    else if (this.#prepared.has(name)) {
      throw new AdminError(
        SQLSTATE.duplicateStatement,
        `prepared statement ${quote(name)} already exists`,
      );
    }
    const plan = this.#options.prepare(query);
    insert(this.#prepared, name, plan, MAX_PREPARED, "prepared statements");
    this.#confirm(PARSE_COMPLETE);
  }

  bind(body: Uint8Array): void {
    const reader = new Reader(body, "Bind");
    const name = reader.cstring("portal name", MAX_NAME_BYTES);
    const statement = reader.cstring("statement name", MAX_NAME_BYTES);
    const parameterFormats = reader.count("parameter format count");
    reader.bytes(2 * parameterFormats, "parameter formats");
    const parameters = reader.count("parameter count");
    if (parameters > 0) {
      throw new AdminError(
        SQLSTATE.protocolViolation,
        `bind message supplies ${parameters} parameters, but the console takes none`,
      );
    }
    const formats: number[] = [];
    const formatCount = reader.count("result format count");
    for (let i = 0; i < formatCount; i++) {
      formats.push(reader.int16("result format"));
    }
    reader.end();
    const plan = this.#findPrepared(statement);
    checkFormats(formats, plan);
    if (name === "") this.#portals.delete(name);
    else if (this.#portals.has(name)) {
      throw new AdminError(
        SQLSTATE.duplicateCursor,
        `portal ${quote(name)} already exists`,
      );
    }
    const portal: Portal = { plan, formats, sent: 0, done: false };
    insert(this.#portals, name, portal, MAX_PORTALS, "portals");
    this.#confirm(BIND_COMPLETE);
  }

  describe(body: Uint8Array): void {
    const { kind, name } = readTarget(body, "Describe");
    const { peer } = this.#options;
    if (kind === "P") {
      const { plan, formats } = this.#findPortal(name);
      writeDescription(peer, plan?.columns ?? [], formats);
      return;
    }
    const plan = this.#findPrepared(name);
    peer.out.begin(PARAMETER_DESCRIPTION);
    peer.out.int16(0);
    peer.out.end();
    writeDescription(peer, plan?.columns ?? []);
  }

  async execute(body: Uint8Array): Promise<void> {
    const reader = new Reader(body, "Execute");
    const name = reader.cstring("portal name", MAX_NAME_BYTES);
    const limit = reader.int32("row limit");
    reader.end();
    const portal = this.#findPortal(name);
    const { plan } = portal;
    if (plan === undefined) {
      this.#confirm(EMPTY_QUERY_RESPONSE);
      return;
    }
    if (portal.done && plan.columns.length === 0) {
      // It did something once, and must not do it again.
      throw new AdminError(
        SQLSTATE.objectNotInState,
        `portal ${quote(name)} cannot be run again`,
      );
    }
    const result = portal.result ??= await this.#options.run(plan);
    const left = result.rows.length - portal.sent;
    const count = limit > 0 ? Math.min(limit, left) : left;
    const from = portal.sent;
    portal.sent += count;
    await sendRows(this.#options.peer, plan.columns, result.rows, {
      from,
      to: portal.sent,
      formats: portal.formats,
    });
    // PostgreSQL suspends when the limit was reached, even if nothing is left.
    if (limit > 0 && count === limit) {
      this.#confirm(PORTAL_SUSPENDED);
    } else {
      portal.done = true;
      const rows = plan.columns.length > 0 ? count : undefined;
      writeComplete(this.#options.peer, result.tag, rows);
    }
  }

  /** Closing what is not there is no error. */
  close(body: Uint8Array): void {
    const { kind, name } = readTarget(body, "Close");
    if (kind === "P") this.#portals.delete(name);
    else this.#prepared.delete(name);
    this.#confirm(CLOSE_COMPLETE);
  }

  /** DEALLOCATE; without a name all. */
  deallocate(name?: string): void {
    if (name === undefined) this.#prepared.clear();
    else if (!this.#prepared.delete(name)) throw unknownStatement(name);
  }

  /** Portals live as long as their transaction. */
  closePortals(): void {
    this.#portals.clear();
  }

  #findPrepared(name: string): Prepared {
    if (!this.#prepared.has(name)) throw unknownStatement(name);
    return this.#prepared.get(name);
  }

  #findPortal(name: string): Portal {
    const portal = this.#portals.get(name);
    if (portal !== undefined) return portal;
    throw new AdminError(
      SQLSTATE.invalidCursorName,
      `portal ${quote(name)} does not exist`,
    );
  }

  #confirm(type: number): void {
    this.#options.peer.out.begin(type);
    this.#options.peer.out.end();
  }
}

function insert<T>(
  map: Map<string, T>,
  name: string,
  value: T,
  max: number,
  what: string,
): void {
  if (map.size >= max) {
    throw new AdminError(SQLSTATE.limitExceeded, `more than ${max} ${what}`);
  }
  map.set(name, value);
}

function checkFormats(formats: readonly number[], plan: Prepared): void {
  const columns = plan?.columns.length ?? 0;
  if (formats.length > 1 && formats.length !== columns) {
    throw new AdminError(
      SQLSTATE.protocolViolation,
      `bind message has ${formats.length} result formats but query has ${columns} columns`,
    );
  }
  for (const format of formats) {
    if (format !== TEXT_FORMAT && format !== BINARY_FORMAT) {
      throw new AdminError(
        SQLSTATE.invalidParameterValue,
        `unsupported format code: ${format}`,
      );
    }
  }
}

/** The body of Describe and Close: `S` or `P`, and a name. */
function readTarget(
  body: Uint8Array,
  message: string,
): { kind: string; name: string } {
  const reader = new Reader(body, message);
  const kind = String.fromCharCode(reader.byte("kind"));
  const name = reader.cstring("name", MAX_NAME_BYTES);
  reader.end();
  if (kind !== "S" && kind !== "P") {
    throw new AdminError(
      SQLSTATE.protocolViolation,
      `invalid ${message.toUpperCase()} message subtype ${kind.charCodeAt(0)}`,
    );
  }
  return { kind, name };
}

function unknownStatement(name: string): AdminError {
  return new AdminError(
    SQLSTATE.invalidStatementName,
    `prepared statement ${quote(name)} does not exist`,
  );
}
