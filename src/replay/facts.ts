import type { MirrorFacts } from "../mailbox/mod.ts";
import type { Reactor } from "../io/mod.ts";
import {
  Collector,
  DATA_ROW,
  ERROR_RESPONSE,
  Framer,
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
import { Login } from "../auth/mod.ts";
import { laneStartup } from "./lane_startup.ts";
import type { TargetSettings } from "./target.ts";

const SQL =
  "select current_setting('server_version'), pg_is_in_recovery(), (select count(*) from pg_stat_subscription)";
const PARAMETERS = "application_name\0pgdog-mirror\0";

/** Where a mirror is asked. */
export interface FactsOptions {
  readonly reactor: Reactor;
  readonly settings: TargetSettings;
  readonly server: MirrorServer;
  readonly scratch: Uint8Array<ArrayBuffer>;
  readonly onFacts: (facts: MirrorFacts) => void;
  /** The mirror could not be asked; the lanes will say so when there is traffic. */
  readonly onFailed: (reason: string) => void;
}

/**
 * Asks a mirror once what it is: on a connection of its own, logged in as the
 * lanes are, so that a hostile server gets no more from it than from them.
 */
export function askForFacts(options: FactsOptions): void {
  const { reactor, settings, server, scratch, onFacts, onFailed } = options;
  const framer = new Framer();
  const body = new Collector();
  let facts: MirrorFacts | undefined;
  let connection: MirrorConnection | undefined;
  const timer = reactor.after(
    settings.connectTimeoutMs,
    () => end("no answer"),
  );

  function end(problem: string): void {
    reactor.cancel(timer);
    connection?.close();
    if (facts === undefined) onFailed(problem);
    else onFacts(facts);
  }

  const owner: ConnectionOwner = {
    onLoggedIn: () => connection?.send(question()),
    onReply(chunk, length) {
      for (let at = 0; at < length;) {
        at = framer.step(chunk, at, length);
        if (framer.broken) return end("malformed reply");
        const { bodyStart, started, finished, type } = framer;
        body.take(chunk, bodyStart, at, started, finished);
        if (!finished) continue;
        if (type === DATA_ROW) facts = decodeFacts(body.bytes);
        if (type === READY_FOR_QUERY || type === ERROR_RESPONSE) {
          return end("the query failed");
        }
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

function question(): Uint8Array<ArrayBuffer> {
  const writer = new Writer({ maxBytes: 1_024 });
  writer.begin(QUERY);
  writer.cstring(SQL);
  writer.end();
  return writer.take();
}

/** @throws {ProtocolError} */
function decodeFacts(body: Uint8Array): MirrorFacts {
  const reader = new Reader(body, "DataRow");
  reader.count("column count");
  const field = (name: string) => {
    const bytes = reader.bytes(reader.int32(`length of ${name}`), name);
    return new TextDecoder().decode(bytes);
  };
  return {
    version: field("server_version"),
    inRecovery: field("pg_is_in_recovery") === "t",
    subscriptions: Number(field("subscriptions")),
  };
}
