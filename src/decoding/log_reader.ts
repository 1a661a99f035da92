import type { Reactor, Timer } from "../io/mod.ts";
import {
  Collector,
  DATA_ROW,
  ERROR_RESPONSE,
  Framer,
  messageOf,
  QUERY,
  READY_FOR_QUERY,
  ROW_DESCRIPTION,
  sqlstateOf,
  unpackSqlstate,
} from "../wire/mod.ts";
import {
  type DecodedTransaction,
  TransactionReader,
} from "./decoded_transaction.ts";
import { ServerClock } from "./server_clock.ts";

/** Between two looks at the log while somebody waits for it … */
const BUSY_MS = 3;
/** … and while nobody does: what is not read keeps WAL on the primary. */
const IDLE_MS = 200;
/** A look takes the primary work: it rests for as long as the last one took. */
const REST_RATIO = 1;
/** Changes that one look asks for; more come with the next. */
const MAX_CHANGES = 10_000;
/** When a server that does not answer is given up. A transaction of gigabytes takes its time. */
const ANSWER_MS = 60_000;
/** How often those who wait hear that a look goes on. */
const LOOKING_MS = 500;
/** The same for the slot: it waits for all transactions that are under way. */
const CREATE_MS = 3_600_000;
/** Between two tries to read, at first and at most, and where the server has refused it. */
const RETRY_MS = 100;
const MAX_RETRY_MS = 2_000;
const REFUSED_MS = 10_000;

/** A connection of our own to the primary, as far as it is used here. */
export interface LogConnection {
  send(bytes: Uint8Array<ArrayBuffer>): void;
  close(): void;
}

/** What a connection tells its reader. */
export interface LogConnectionOwner {
  onLoggedIn(): void;
  onReply(chunk: Uint8Array, length: number): void;
  onLost(failure: { readonly message: string }): void;
  onFault(): void;
}

/** What hears of the log. */
export interface LogListener {
  /** Whether somebody waits for what is in it. */
  readonly isWanted: boolean;
  begin(nowUs: number): void;
  end(): void;
  add(transaction: DecodedTransaction, nowUs: number): void;
  polled(wholeUs: number, nowUs: number): void;
  /** Called twice a second while a look goes on. */
  looking(): void;
}

export interface LogReaderOptions {
  readonly reactor: Pick<Reactor, "after" | "cancel">;
  readonly nowUs: () => number;
  /** @throws {Error} if there is no descriptor left. */
  readonly connect: (owner: LogConnectionOwner) => LogConnection;
  readonly listener: LogListener;
  /** Whether the log is read, and if not, why; told once for each change. */
  readonly onState: (isRead: boolean, reason?: string) => void;
  /** A name that no other slot has: a-z, 0-9 and _. */
  readonly slot: string;
}

/** Settings that the texts of values depend on. A startup packet stands before what role and database have. */
export const LOG_SETTINGS: Readonly<Record<string, string>> = {
  application_name: "pgdog-mirror log",
  client_encoding: "UTF8",
  DateStyle: "ISO",
  IntervalStyle: "iso_8601",
  TimeZone: "UTC",
  bytea_output: "hex",
  extra_float_digits: "1",
  search_path: "pg_catalog",
  statement_timeout: "0",
};

/** Why a server does not let its log be read, by SQLSTATE. */
const REASONS: Readonly<Record<string, string>> = {
  "55000":
    'the primary has not wal_level = "logical", or no max_replication_slots',
  "42501": "its login has not REPLICATION",
  "53400": "all of max_replication_slots are in use",
  "58P01": "the primary has not the output plugin test_decoding",
  "0A000": "the primary is a standby",
};

/**
 * ```
 * resting   the log can't be read at the moment; a timer tries again
 * opening   logs in
 * creating  waits for the slot: until all transactions that ran at that time are over
 * asking    a look at the log is under way
 * reading   between two looks
 * closed
 * ```
 */
type State =
  | "resting"
  | "opening"
  | "creating"
  | "asking"
  | "reading"
  | "closed";

/**
 * Reads the primary's log by SQL functions, through a temporary slot: it ends
 * with the connection, however that ends, so that it never keeps WAL behind.
 */
export class LogReader implements LogConnectionOwner {
  readonly #options: LogReaderOptions;
  readonly #framer = new Framer();
  readonly #body = new Collector();
  #clock = new ServerClock();
  #transactions = this.#newTransactions();
  #state: State = "resting";
  #connection: LogConnection | undefined;
  #timer: Timer | undefined;
  #retryMs = RETRY_MS;
  #askedUs = 0;
  #restUntilUs = 0;
  /** Result sets of the look under way, and rows of the last one. */
  #results = 0;
  #rows = 0;
  /** What the server refused with. */
  #refused: string | undefined;
  /** What was said last; undefined: nothing yet. */
  #said: string | undefined;

  constructor(options: LogReaderOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#state === "resting") this.#open();
  }

  /** The slot ends with the connection. May be called twice. */
  close(): void {
    if (this.#state === "closed") return;
    this.#options.reactor.cancel(this.#timer);
    this.#connection?.close();
    if (this.#isReading) this.#options.listener.end();
    this.#state = "closed";
  }

  /** Somebody waits for what is in the log. */
  want(): void {
    if (this.#state !== "reading") return;
    const { nowUs } = this.#options;
    const restMs = (this.#restUntilUs - nowUs()) / 1e3;
    const ms = Math.max(0, BUSY_MS - this.#sinceAskedMs, restMs);
    // Whoever comes next must not put it off: with one in each turn of the loop there would be no look at all.
    const isSooner = nowUs() + ms * 1e3 < (this.#timer?.atUs ?? Infinity);
    if (isSooner) this.#ask(ms);
  }

  get #isReading(): boolean {
    return this.#state === "asking" || this.#state === "reading";
  }

  get #sinceAskedMs(): number {
    return (this.#options.nowUs() - this.#askedUs) / 1e3;
  }

  #newTransactions(): TransactionReader {
    return new TransactionReader((serverUs) => this.#clock.momentOf(serverUs));
  }

  #open(): void {
    this.#state = "opening";
    this.#framer.reset();
    this.#refused = undefined;
    this.#clock = new ServerClock();
    this.#transactions = this.#newTransactions();
    this.#watch();
    try {
      this.#connection = this.#options.connect(this);
    } catch (error) {
      this.#lose((error as Error).message);
    }
  }

  onLoggedIn(): void {
    this.#state = "creating";
    this.#watch(CREATE_MS);
    this.#query(
      `select pg_create_logical_replication_slot('${this.#options.slot}', 'test_decoding', true)`,
    );
  }

  onLost({ message }: { readonly message: string }): void {
    this.#lose(message);
  }

  onFault(): void {
    this.#lose("internal error");
  }

  onReply(chunk: Uint8Array, length: number): void {
    const framer = this.#framer;
    for (let at = 0; at < length && this.#connection !== undefined;) {
      at = framer.step(chunk, at, length);
      if (framer.broken) return this.#lose("malformed reply");
      const { bodyStart, started, finished, type } = framer;
      this.#body.take(chunk, bodyStart, at, started, finished);
      if (!finished) continue;
      switch (type) {
        case ERROR_RESPONSE: {
          const { bytes, length } = this.#body;
          const sqlstate = unpackSqlstate(sqlstateOf(bytes, length));
          this.#refused = REASONS[sqlstate] ??
            `the query failed with ${sqlstate}`;
          break;
        }
        case ROW_DESCRIPTION:
          this.#results++;
          break;
        case DATA_ROW:
          if (this.#state === "asking") this.#row();
          break;
        case READY_FOR_QUERY:
          this.#answered();
      }
    }
  }

  #answered(): void {
    if (this.#refused !== undefined) return this.#lose(this.#refused);
    const { listener, nowUs, reactor } = this.#options;
    reactor.cancel(this.#timer);
    const now = nowUs();
    if (this.#state === "creating") {
      this.#retryMs = RETRY_MS;
      listener.begin(now);
      this.#say(undefined);
      this.#state = "reading";
      return this.#ask(0);
    }
    this.#state = "reading";
    const isWhole = this.#rows < MAX_CHANGES;
    if (isWhole) listener.polled(this.#askedUs, now);
    const tookMs = this.#sinceAskedMs;
    this.#restUntilUs = now + REST_RATIO * tookMs * 1e3;
    const pauseMs = listener.isWanted || !isWhole ? BUSY_MS : IDLE_MS;
    this.#ask(Math.max(pauseMs - tookMs, REST_RATIO * tookMs));
  }

  /** Looks at the log in a while. */
  #ask(ms: number): void {
    const { reactor, slot } = this.#options;
    reactor.cancel(this.#timer);
    this.#timer = reactor.after(ms, () => {
      this.#state = "asking";
      this.#askedUs = this.#options.nowUs();
      this.#looking();
      // The clock is read before the log is: all that is older is in it.
      this.#query(
        `select (extract(epoch from clock_timestamp()) * 1e6)::bigint; select data from pg_logical_slot_get_changes('${slot}', null, ${MAX_CHANGES}, 'include-timestamp', 'on', 'skip-empty-xacts', 'on')`,
      );
    });
  }

  #query(sql: string): void {
    this.#results = this.#rows = 0;
    this.#connection?.send(messageOf(QUERY, `${sql}\0`));
  }

  #row(): void {
    const { bytes, length, truncated } = this.#body;
    // Behind the number of columns, which is 1, and the length of it.
    const text = decoder.decode(bytes.slice(6, length));
    if (this.#results === 1) {
      const { nowUs } = this.#options;
      return this.#clock.note(Number(text), this.#askedUs, nowUs());
    }
    this.#rows++;
    const transaction = this.#transactions.line(text, truncated);
    if (transaction === undefined) return;
    this.#options.listener.add(transaction, this.#options.nowUs());
  }

  /** A look is under way. */
  #looking(): void {
    const { reactor, listener } = this.#options;
    if (this.#sinceAskedMs > ANSWER_MS) return this.#lose("no answer");
    this.#timer = reactor.after(LOOKING_MS, () => {
      listener.looking();
      this.#looking();
    });
  }

  /** Whoever does not answer is given up. */
  #watch(ms = ANSWER_MS): void {
    const { reactor } = this.#options;
    reactor.cancel(this.#timer);
    this.#timer = reactor.after(ms, () => this.#lose("no answer"));
  }

  #lose(reason: string): void {
    if (this.#state === "closed" || this.#state === "resting") return;
    const wasReading = this.#isReading;
    // What was refused with the slot will be again.
    const isRefused = this.#state === "creating" &&
      this.#refused !== undefined;
    this.#state = "resting";
    this.#connection?.close();
    this.#connection = undefined;
    const { reactor, listener } = this.#options;
    reactor.cancel(this.#timer);
    const ms = isRefused ? REFUSED_MS : this.#retryMs;
    this.#timer = reactor.after(ms, () => this.#open());
    this.#retryMs = Math.min(2 * this.#retryMs, MAX_RETRY_MS);
    if (wasReading) listener.end();
    this.#say(reason);
  }

  /** @param reason why the log is not read; undefined: it is. */
  #say(reason: string | undefined): void {
    const said = reason ?? "";
    if (said === this.#said) return;
    this.#said = said;
    this.#options.onState(reason === undefined, reason);
  }
}

const decoder = new TextDecoder();
