import { Login, type LoginOptions } from "../auth/mod.ts";
import type { Reactor } from "../io/mod.ts";
import {
  Collector,
  DATA_ROW,
  ERROR_RESPONSE,
  Framer,
  isFatal,
  QUERY,
  Reader,
  READY_FOR_QUERY,
  Writer,
} from "../wire/mod.ts";
import {
  type ConnectionOwner,
  MirrorConnection,
  type MirrorServer,
} from "./connection.ts";
import { laneStartup } from "./lane_startup.ts";

const PARAMETERS = "application_name\0pgdog-mirror\0";
/** Bounds of an answer, in rows and in bytes: beyond them nothing is known of its schema. */
const MAX_ROWS = 200_000;
const MAX_BYTES = 32 * 1024 * 1024;
/** Bound of a question, in bytes. */
const MAX_QUESTION_BYTES = 16_384;

/** What a server is asked, and where. */
export interface QuestionOptions {
  readonly reactor: Reactor;
  readonly settings: {
    readonly login: LoginOptions;
    /** How long it may take, if `timeoutMs` is not given. */
    readonly connectTimeoutMs: number;
  };
  readonly server: MirrorServer;
  readonly scratch: Uint8Array<ArrayBuffer>;
  readonly sql: string;
  /** For the login and the answer together. */
  readonly timeoutMs?: number;
  /** NULL is an empty text. */
  readonly onAnswer: (rows: readonly (readonly string[])[]) => void;
  /**
   * The server could not be asked. Of a mirror the lanes will say so when there is traffic.
   *
   * @param hasAnswered it has, with an error, or with too much.
   */
  readonly onFailed: (reason: string, hasAnswered: boolean) => void;
}

/**
 * Asks a server one query: a mirror, or the primary where the configuration has
 * a login for it. The connection is its own, and logged in as the lanes' are, so
 * that a hostile server gets no more from it than from them.
 */
export function askServer(options: QuestionOptions): void {
  const { reactor, settings, server, scratch, sql, onAnswer, onFailed } =
    options;
  const framer = new Framer();
  const body = new Collector();
  const rows: string[][] = [];
  let bytes = 0;
  let connection: MirrorConnection | undefined;
  let ended = false;
  const timer = reactor.after(
    options.timeoutMs ?? settings.connectTimeoutMs,
    () => end("no answer"),
  );

  function end(problem?: string, hasAnswered = false): void {
    if (ended) return;
    ended = true;
    reactor.cancel(timer);
    connection?.close();
    if (problem === undefined) onAnswer(rows);
    else onFailed(problem, hasAnswered);
  }

  const owner: ConnectionOwner = {
    onLoggedIn: () => connection?.send(question(sql)),
    onReply(chunk, length) {
      for (let at = 0; at < length && !ended;) {
        at = framer.step(chunk, at, length);
        if (framer.broken) return end("malformed reply");
        const { bodyStart, started, finished, type } = framer;
        body.take(chunk, bodyStart, at, started, finished);
        if (!finished) continue;
        if (type === ERROR_RESPONSE) {
          // A server that ends the session has not answered what it was asked.
          return end("the query failed", !isFatal(body.bytes, body.length));
        }
        if (type === READY_FOR_QUERY) return end();
        if (type !== DATA_ROW) continue;
        bytes += body.length;
        if (body.truncated || bytes > MAX_BYTES || rows.length === MAX_ROWS) {
          return end("the answer is too large", true);
        }
        rows.push(decodeRow(body.bytes));
      }
    },
    onLost: ({ message }) => end(message),
    onFault: () => end("malformed reply"),
  };
  try {
    connection = new MirrorConnection(
      reactor,
      server,
      laneStartup(PARAMETERS, settings.login),
      new Login(settings.login),
      scratch,
      owner,
    );
  } catch (error) {
    end((error as Error).message);
  }
}

function question(sql: string): Uint8Array<ArrayBuffer> {
  const writer = new Writer({ maxBytes: MAX_QUESTION_BYTES });
  writer.begin(QUERY);
  writer.cstring(sql);
  writer.end();
  return writer.take();
}

const decoder = new TextDecoder();

/** @throws {ProtocolError} */
function decodeRow(body: Uint8Array): string[] {
  const reader = new Reader(body, "DataRow");
  const row: string[] = [];
  for (let i = reader.count("column count"); i > 0; i--) {
    const length = reader.int32("column length");
    row.push(length < 0 ? "" : decoder.decode(reader.bytes(length, "column")));
  }
  return row;
}
