import {
  BIND,
  CLOSE,
  COPY_DATA,
  COPY_DONE,
  COPY_FAIL,
  DESCRIBE,
  EMPTY_QUERY_RESPONSE,
  encodeNotice,
  EXECUTE,
  FAILED_TRANSACTION,
  FLUSH,
  FUNCTION_CALL,
  IDLE,
  IN_TRANSACTION,
  PARSE,
  ProtocolError,
  QUERY,
  Reader,
  READY_FOR_QUERY,
  SYNC,
  TERMINATE,
} from "../wire/mod.ts";
import { AdminError, SQLSTATE } from "./admin_error.ts";
import type { Logger } from "../plugin/api.ts";
import type { Catalog } from "./catalog.ts";
import { ExtendedQuery } from "./extended_query.ts";
import { type LoggedIn, writeParameterStatus } from "./login.ts";
import { type Message, type Peer, PeerGoneError } from "./peer.ts";
import type { Plan, PlanResult, PlanSession } from "./plan.ts";
import {
  sendRows,
  writeComplete,
  writeDescription,
  writeError,
} from "./results.ts";
import { checkRole, type Role } from "./roles.ts";
import type { Settings } from "./settings.ts";
import { splitStatements, type Statement } from "./statement.ts";

type TransactionStatus =
  | typeof IDLE
  | typeof IN_TRANSACTION
  | typeof FAILED_TRANSACTION;

export interface ConsoleSessionOptions {
  readonly peer: Peer;
  readonly catalog: Catalog;
  readonly loggedIn: LoggedIn;
  readonly database: string;
  readonly processId: number;
  readonly log: Logger;
}

/** A client after its login: reads messages and answers them in order. */
export class ConsoleSession implements PlanSession {
  readonly user: string;
  readonly database: string;
  readonly processId: number;
  readonly settings: Settings;
  readonly #peer: Peer;
  readonly #catalog: Catalog;
  readonly #role: Role;
  readonly #log: Logger;
  readonly #extended: ExtendedQuery;
  #transaction: TransactionStatus = IDLE;
  /** After an error in the extended protocol, until Sync. */
  #skipping = false;
  /** What ran last, for the log. */
  #command: string | undefined;
  #waiting = false;
  #stopping = false;

  constructor(options: ConsoleSessionOptions) {
    const { peer, loggedIn } = options;
    this.user = loggedIn.user;
    this.#role = loggedIn.role;
    this.settings = loggedIn.settings;
    this.database = options.database;
    this.processId = options.processId;
    this.#peer = peer;
    this.#catalog = options.catalog;
    this.#log = options.log;
    this.#extended = new ExtendedQuery({
      peer,
      prepare: (query) => this.#prepare(query),
      run: (plan) => this.#run(plan),
    });
  }

  /** Until the client leaves, breaks the protocol, or {@linkcode stop}. @throws {PeerGoneError} */
  async serve(): Promise<void> {
    await this.#ready();
    try {
      while (!this.#stopping) {
        this.#waiting = true;
        const message = await this.#peer.message();
        this.#waiting = false;
        if (message === undefined || message.type === TERMINATE) return;
        if (this.#stopping) return;
        if (!this.#skipping || message.type === SYNC) {
          await this.#answer(message);
          // A pipeline may be longer than our memory is wide.
          await this.#peer.flushIfLong();
        }
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      // The next message cannot be found any more.
      return await this.#peer.fatal(error.sqlstate, error.message);
    }
    await this.#sayShutdown();
  }

  /** The client gets 57P01: at once if it waits, else after the reply in progress. */
  stop(): void {
    this.#stopping = true;
    if (this.#waiting) void this.#sayShutdown();
  }

  begin(): void {
    this.#transaction = IN_TRANSACTION;
  }

  finish(tag: "COMMIT" | "ROLLBACK"): string {
    const failed = this.#transaction === FAILED_TRANSACTION;
    this.#transaction = IDLE;
    this.#extended.closePortals();
    return failed ? "ROLLBACK" : tag;
  }

  deallocate(name?: string): void {
    this.#extended.deallocate(name);
  }

  closePortals(): void {
    this.#extended.closePortals();
  }

  async #answer({ type, body }: Message): Promise<void> {
    try {
      await this.#dispatch(type, body);
    } catch (error) {
      if (error instanceof PeerGoneError) throw error;
      this.#report(error);
      if (this.#transaction === IN_TRANSACTION) {
        this.#transaction = FAILED_TRANSACTION;
      }
      if (type === QUERY || type === FUNCTION_CALL) await this.#ready();
      else this.#skipping = true;
    }
  }

  async #dispatch(type: number, body: Uint8Array): Promise<void> {
    switch (type) {
      case QUERY:
        await this.#simpleQuery(body);
        return await this.#ready();
      case PARSE:
        return this.#extended.parse(body);
      case BIND:
        return this.#extended.bind(body);
      case DESCRIBE:
        return this.#extended.describe(body);
      case EXECUTE:
        return await this.#extended.execute(body);
      case CLOSE:
        return this.#extended.close(body);
      case FLUSH:
        return await this.#peer.flush();
      case SYNC:
        this.#skipping = false;
        if (this.#transaction === IDLE) this.#extended.closePortals();
        return await this.#ready();
      case FUNCTION_CALL:
        throw new AdminError(
          SQLSTATE.featureNotSupported,
          "the console has no functions to call",
        );
      case COPY_DATA:
      case COPY_DONE:
      case COPY_FAIL:
        // A client may still send them after an error (manual, "COPY Operations").
        return;
      default:
        // PostgreSQL ends the connection: the stream cannot be trusted.
        await this.#peer.fatal(
          SQLSTATE.protocolViolation,
          `invalid frontend message type ${type}`,
        );
        throw new PeerGoneError("Client sent an unknown message");
    }
  }

  async #simpleQuery(body: Uint8Array): Promise<void> {
    const reader = new Reader(body, "Query");
    const query = reader.cstring("query", body.length);
    reader.end();
    const statements = splitStatements(query);
    if (statements.length === 0) {
      this.#peer.out.begin(EMPTY_QUERY_RESPONSE);
      this.#peer.out.end();
    }
    for (const statement of statements) {
      const plan = this.#plan(statement);
      const { rows, tag } = await this.#run(plan);
      const { columns } = plan;
      if (columns.length === 0) {
        writeComplete(this.#peer, tag, undefined);
        continue;
      }
      writeDescription(this.#peer, columns);
      await sendRows(this.#peer, columns, rows, { from: 0, to: rows.length });
      writeComplete(this.#peer, tag, rows.length);
    }
  }

  /** For Parse: at most one statement. */
  #prepare(query: string): Plan | undefined {
    const [statement, ...more] = splitStatements(query);
    if (more.length > 0) {
      throw new AdminError(
        SQLSTATE.syntaxError,
        "cannot insert multiple commands into a prepared statement",
      );
    }
    return statement === undefined ? undefined : this.#plan(statement);
  }

  #plan(statement: Statement): Plan {
    const plan = this.#catalog.plan(statement);
    if (plan.words !== undefined) checkRole(this.#role, plan.words);
    this.#checkTransaction(plan);
    return plan;
  }

  async #run(plan: Plan): Promise<PlanResult> {
    this.#checkTransaction(plan);
    this.#command = plan.words;
    if (plan.words !== undefined && !plan.words.startsWith("SHOW ")) {
      this.#log.info("Admin command", { command: plan.words, user: this.user });
    }
    const result = await plan.run(this);
    if (result.notice !== undefined) {
      this.#peer.out.message(encodeNotice(result.notice));
    }
    writeParameterStatus(this.#peer, this.settings.takeChanges());
    return result;
  }

  #checkTransaction(plan: Plan): void {
    if (this.#transaction !== FAILED_TRANSACTION || plan.endsTransaction) {
      return;
    }
    throw new AdminError(
      SQLSTATE.invalidTransactionState,
      "current transaction is aborted, commands ignored until end of transaction block",
    );
  }

  #report(error: unknown): void {
    writeError(this.#peer, error);
    if (error instanceof AdminError || error instanceof ProtocolError) return;
    this.#log.error("Admin command failed", {
      command: this.#command ?? null,
      error: error instanceof Error ? error.message : String(error),
    });
  }

  async #ready(): Promise<void> {
    this.#peer.out.begin(READY_FOR_QUERY);
    this.#peer.out.byte(this.#transaction);
    this.#peer.out.end();
    await this.#peer.flush();
  }

  async #sayShutdown(): Promise<void> {
    await this.#peer.fatal(
      SQLSTATE.adminShutdown,
      "terminating connection due to administrator command",
    );
  }
}
