import { Login, LoginError } from "../../auth/mod.ts";
import { laneStartup } from "../../replay/lane_startup.ts";
import * as wire from "../../wire/mod.ts";
import {
  columnNames,
  decodeRow,
  refusal,
  ServerError,
  unexpected,
} from "./answer.ts";
import type { Row } from "./snapshot.ts";
import { type ByteStream, openTls, type TlsServer } from "./tls_stream.ts";

/** Where and as whom to log in. */
export interface ConnectionOptions {
  /** Name or address, or the folder of a unix socket. */
  readonly host: string;
  readonly port: number;
  /** undefined: in clear. */
  readonly tls: TlsServer | undefined;
  readonly database: string;
  readonly user: string;
  readonly password: string | undefined;
  /** Sends the password in clear if the server asks for it so. */
  readonly cleartextAllowed: boolean;
  /** For connecting and logging in. */
  readonly connectTimeoutMs: number;
  /** For one query's whole answer. */
  readonly queryTimeoutMs: number;
  /** To replicate, not to query: physically, for such a login `pg_hba.conf` has lines of its own. */
  readonly replication?: boolean;
  /** The server is content with the login; it may still refuse the session. */
  readonly onAuthenticated?: () => void;
}

/** Bounds in bytes on what a server can make us keep. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const MAX_ANSWER_BYTES = 128 * 1024 * 1024;
const READ_BYTES = 65_536;
const PARAMETERS = "application_name\0pgdog-mirror-check\0";

interface Message {
  readonly type: number;
  readonly body: Uint8Array;
}

/**
 * A connection for a few simple queries, with the login that lanes use. A
 * driver would do, but drivers answer a demand for a cleartext password by
 * themselves and work through any SCRAM iteration count: too much for a server
 * that may be anybody's.
 */
export class CatalogConnection {
  readonly #socket: ByteStream;
  readonly #options: ConnectionOptions;
  readonly #framer = new wire.Framer();
  readonly #chunk = new Uint8Array(READ_BYTES);
  /** 0 <= at <= end <= READ_BYTES; what is before `at` has been cut. */
  #at = 0;
  #end = 0;
  /** Bytes that the current answer may still have. */
  #budget = MAX_ANSWER_BYTES;
  #closed = false;

  private constructor(socket: ByteStream, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
  }

  /** @throws {ServerError} */
  static async open(options: ConnectionOptions): Promise<CatalogConnection> {
    const { connectTimeoutMs } = options;
    const socket = await dial(options);
    const connection = new CatalogConnection(socket, options);
    try {
      await connection.#within(connectTimeoutMs, () => connection.#logIn());
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /**
   * Runs SQL and gives the rows of its last statement that has any.
   *
   * @throws {ServerError} with an SQLSTATE if the server refused; else the connection is of no more use.
   */
  query(sql: string): Promise<Row[]> {
    return this.#within(this.#options.queryTimeoutMs, async () => {
      const bytes = new TextEncoder().encode(sql);
      const writer = new wire.Writer({ maxBytes: bytes.length + 64 });
      writer.begin(wire.QUERY);
      writer.cstring(sql);
      writer.end();
      await this.#write(writer.take());
      return await this.#answer();
    });
  }

  /** May be called at any time, twice. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }

  async #logIn(): Promise<void> {
    const login = new Login(this.#options);
    const { user, database, replication, onAuthenticated } = this.#options;
    await this.#write(
      replication
        ? wire.encodeStartupMessage([
          ["user", user],
          ["database", database],
          ["replication", "true"],
        ])
        : laneStartup(PARAMETERS, this.#options),
    );
    for (;;) {
      const { type, body } = await this.#next();
      switch (type) {
        case wire.AUTHENTICATION: {
          const answer = loginStep(() => login.answer(body));
          if (answer === "ok") onAuthenticated?.();
          else if (answer !== undefined) await this.#write(answer);
          break;
        }
        case wire.ERROR_RESPONSE:
          throw refusal(body); // at a login each is fatal
        case wire.READY_FOR_QUERY:
          return;
        case wire.NEGOTIATE_PROTOCOL_VERSION:
        case wire.NOTICE_RESPONSE:
        case wire.PARAMETER_STATUS:
        case wire.BACKEND_KEY_DATA:
          break;
        default:
          throw unexpected(type, "the login");
      }
    }
  }

  /** Everything up to ReadyForQuery. */
  async #answer(): Promise<Row[]> {
    this.#budget = MAX_ANSWER_BYTES;
    let names: readonly string[] = [];
    let rows: Row[] = [];
    let problem: ServerError | undefined;
    for (;;) {
      const { type, body } = await this.#next();
      switch (type) {
        case wire.ROW_DESCRIPTION:
          names = columnNames(body);
          rows = [];
          break;
        case wire.DATA_ROW:
          rows.push(decodeRow(body, names));
          break;
        case wire.ERROR_RESPONSE:
          problem ??= refusal(body);
          if (problem.sqlstate === undefined) throw problem;
          break;
        case wire.READY_FOR_QUERY:
          if (problem !== undefined) throw problem;
          return rows;
        case wire.COMMAND_COMPLETE:
        case wire.EMPTY_QUERY_RESPONSE:
        case wire.NOTICE_RESPONSE:
        case wire.NOTIFICATION_RESPONSE:
        case wire.PARAMETER_STATUS:
          break;
        default:
          throw unexpected(type, "an answer");
      }
    }
  }

  /** The next message; its body lives until the next call. */
  async #next(): Promise<Message> {
    const framer = this.#framer;
    const parts: Uint8Array[] = [];
    for (;;) {
      if (this.#at === this.#end) await this.#fill();
      const from = this.#at;
      this.#at = framer.step(this.#chunk, from, this.#end);
      if (framer.broken) {
        throw new ServerError("The server's bytes are no messages");
      }
      if (framer.bodyLength > MAX_MESSAGE_BYTES) {
        throw new ServerError(`A message has ${framer.bodyLength} bytes`);
      }
      this.#budget -= this.#at - from;
      if (this.#budget < 0) {
        throw new ServerError(`An answer has over ${MAX_ANSWER_BYTES} bytes`);
      }
      const part = this.#chunk.subarray(framer.bodyStart, this.#at);
      if (framer.finished && parts.length === 0) {
        return { type: framer.type, body: part };
      }
      parts.push(part.slice()); // the next read overwrites it
      if (framer.finished) {
        return { type: framer.type, body: wire.concat(parts) };
      }
    }
  }

  async #fill(): Promise<void> {
    const count = await this.#socket.read(this.#chunk);
    if (count === null) {
      throw new ServerError("The server closed the connection");
    }
    this.#at = 0;
    this.#end = count;
  }

  async #write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      at += await this.#socket.write(bytes.subarray(at));
    }
  }

  /** Runs `body`; when the time is over, closing the socket ends it. */
  async #within<T>(ms: number, body: () => Promise<T>): Promise<T> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.close();
    }, ms);
    try {
      return await body();
    } catch (cause) {
      if (late) throw new ServerError(`No answer within ${ms} ms`, { cause });
      if (cause instanceof ServerError) throw cause;
      throw new ServerError((cause as Error).message, { cause });
    } finally {
      clearTimeout(timer);
    }
  }
}

/** @throws {ServerError} */
async function dial(options: ConnectionOptions): Promise<ByteStream> {
  const { host, port, tls, connectTimeoutMs } = options;
  const signal = AbortSignal.timeout(connectTimeoutMs);
  try {
    if (tls !== undefined) return await openTls({ host, port }, tls, signal);
    return host.startsWith("/")
      ? await Deno.connect({
        transport: "unix",
        path: `${host}/.s.PGSQL.${port}`,
      })
      : await Deno.connect({ hostname: host, port, signal });
  } catch (cause) {
    const reason = signal.aborted
      ? `no answer within ${connectTimeoutMs} ms`
      : (cause as Error).message;
    throw new ServerError(`Cannot connect: ${reason}`, { cause });
  }
}

/** What a login can't go on with is about the password, or the server's way to ask for it. */
function loginStep<T>(step: () => T): T {
  try {
    return step();
  } catch (cause) {
    throw new ServerError((cause as Error).message, {
      cause,
      credentials: cause instanceof LoginError,
    });
  }
}
