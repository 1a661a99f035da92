import { Framer } from "../../src/wire/mod.ts";
import { APPLICATION_DATA, TlsRecords } from "./tls_records.ts";

/** Upstream is from the one who connects to the server. */
export const DIRECTIONS = ["upstream", "downstream"] as const;
export type Direction = typeof DIRECTIONS[number];

/** When a fault begins, by the messages that pass; the rest of the message already meets it. */
export const MOMENTS = [
  "connect",
  "login",
  "Parse",
  "middle of a row",
  "middle of COPY",
  "in a transaction",
  "at Sync",
] as const;
export type Moment = typeof MOMENTS[number];

/**
 * When a fault begins where nothing but TLS records can be seen: always in the
 * middle of one, but for the SSLRequest. What is in a record only the test
 * knows, and gives a signal.
 */
export type TlsMoment = "SSLRequest" | "handshake" | "login" | "signal";

/** What passes on one connection, looked at for the moment when a fault begins. */
export interface Watch {
  /** @returns how many bytes of `chunk` pass before the fault begins; undefined: it does not begin in it. */
  look(direction: Direction, chunk: Uint8Array): number | undefined;
  /** Bytes that came in clear where all should be on TLS. */
  readonly inClear: number;
}

/** Finds a {@linkcode Moment} on a connection in clear. */
export class MessageWatch implements Watch {
  readonly inClear = 0;
  #sawQuery = false;
  #startup = true;
  readonly #up = new Framer();
  readonly #down = new Framer();

  constructor(readonly moment: Moment | undefined) {}

  look(direction: Direction, chunk: Uint8Array): number | undefined {
    const { moment } = this;
    if (moment === undefined) return undefined;
    if (direction === "upstream" && this.#startup) {
      this.#startup = false;
      return moment === "login" ? 10 : undefined;
    }
    const framer = direction === "upstream" ? this.#up : this.#down;
    for (let at = 0; at < chunk.length;) {
      at = framer.step(chunk, at, chunk.length);
      if (framer.broken) return undefined;
      const type = direction === "upstream"
        ? String.fromCharCode(framer.type)
        : `-${String.fromCharCode(framer.type)}`;
      const isMoment = type === "P" && moment === "Parse" ||
        type === "-D" && moment === "middle of a row" ||
        type === "d" && moment === "middle of COPY" ||
        type === "S" && moment === "at Sync" ||
        type === "Q" && moment === "in a transaction" && this.#sawQuery;
      // The first query of a session begins the transaction.
      if (type === "Q" && framer.finished) this.#sawQuery = true;
      if (isMoment && framer.started) {
        // A part of the message passes, the rest does not as it should.
        return framer.bodyStart +
          (framer.bodyLength >> 1 > at - framer.bodyStart
            ? 0
            : framer.bodyLength >> 1);
      }
    }
    return undefined;
  }
}

/** How many records more until a signalled fault begins, on whichever connection; 0: never. */
export interface Signal {
  records: number;
}

/** Finds a {@linkcode TlsMoment}, and any byte that is in clear. */
export class RecordWatch implements Watch {
  readonly #records = {
    upstream: new TlsRecords("upstream"),
    downstream: new TlsRecords("downstream"),
  };
  /** Of the side that connects, encrypted. */
  #encrypted = 0;
  #begun = false;

  constructor(
    readonly moment: TlsMoment | undefined,
    readonly direction: Direction | undefined,
    readonly signal: Signal,
  ) {}

  get inClear(): number {
    return this.#records.upstream.inClear + this.#records.downstream.inClear;
  }

  look(direction: Direction, chunk: Uint8Array): number | undefined {
    let moment: number | undefined;
    if (this.moment === "SSLRequest" && !this.#begun) moment = 4; // half of it
    for (const { type, middle } of this.#records[direction].step(chunk)) {
      const up = direction === "upstream";
      if (up && type === APPLICATION_DATA) this.#encrypted++;
      const isMoment = this.moment === "handshake" ||
        // TLS 1.3: the first encrypted record ends the handshake.
        this.moment === "login" && up && this.#encrypted === 2 ||
        this.moment === "signal" && direction === this.direction &&
          this.signal.records > 0 && --this.signal.records === 0;
      if (isMoment && !this.#begun) moment ??= middle;
    }
    this.#begun ||= moment !== undefined;
    return moment;
  }
}
