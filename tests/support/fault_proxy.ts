import {
  connect as dial,
  createServer,
  type Server,
  type Socket,
} from "node:net";
import { Framer } from "../../src/wire/mod.ts";

/** The fault kinds of Toxiproxy. */
export const FAULTS = [
  "latency",
  "down",
  "bandwidth",
  "slow_close",
  "timeout",
  "reset_peer",
  "slicer",
  "limit_data",
] as const;
export type FaultKind = typeof FAULTS[number];

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

export interface Fault {
  readonly kind: FaultKind;
  readonly direction: Direction;
  readonly moment: Moment;
}

const LATENCY_MS = 60;
const BYTES_PER_TICK = 64;
const TICK_MS = 2;
const SLOW_CLOSE_MS = 100;
const SLICE_BYTES = 3;
const LIMIT_BYTES = 20;

/**
 * A TCP proxy in front of a server that does to its connections what networks
 * do. A fault is armed, begins at its moment on the first connection that
 * comes to it, and lasts for that connection; \"down\" lasts until it is taken away.
 */
export class FaultProxy implements AsyncDisposable {
  readonly host = "127.0.0.1";
  port = 0;
  /** Faults that have begun. */
  begun = 0;
  #fault: Fault | undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(readonly target: { host: string; port: number }) {
    this.#server = createServer(
      { allowHalfOpen: true, noDelay: true },
      (socket) => this.#accept(socket),
    );
  }

  static async start(
    target: { readonly host: string; readonly port: number },
  ): Promise<FaultProxy> {
    const proxy = new FaultProxy({ ...target });
    await new Promise<void>((resolve) =>
      proxy.#server.listen(0, proxy.host, resolve)
    );
    proxy.port = (proxy.#server.address() as { port: number }).port;
    return proxy;
  }

  /** The next connection meets this fault; undefined: no more, and connections are ended. */
  arm(fault: Fault | undefined): void {
    this.#fault = fault;
    this.begun = 0;
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.arm(undefined);
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    const fault = this.#fault;
    if (fault?.kind === "down" && this.begun > 0) return void client.destroy();
    const server = dial({ ...this.target, allowHalfOpen: true, noDelay: true });
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
    }
    const link = new Link(client, server, fault, () => this.begun++);
    link.run();
  }
}

/** A pair of sockets, and the moment at which a fault begins between them. */
class Link {
  #active = false;
  #sawQuery = false;
  #startup = true;
  readonly #up = new Framer();
  readonly #down = new Framer();

  constructor(
    readonly client: Socket,
    readonly server: Socket,
    readonly fault: Fault | undefined,
    readonly onBegin: () => void,
  ) {}

  run(): void {
    if (this.fault?.moment === "connect") this.#begin();
    const pipes = {
      upstream: new Pipe(this.client, this.server),
      downstream: new Pipe(this.server, this.client),
    };
    for (const direction of DIRECTIONS) {
      const pipe = pipes[direction];
      pipe.from.on("data", (chunk: Uint8Array) => {
        const at = this.#active ? 0 : this.#look(direction, chunk);
        if (at > 0) pipe.send(chunk.subarray(0, at));
        if (this.#active && !pipe.faulty) this.#apply(pipes);
        if (at < chunk.length) pipe.send(chunk.subarray(at));
      });
      pipe.from.on("end", () => pipe.end());
      pipe.from.on("close", () => pipe.end(true));
    }
    if (this.#active) this.#apply(pipes);
  }

  #begin(): void {
    this.#active = true;
    this.onBegin();
  }

  #apply(pipes: Readonly<Record<Direction, Pipe>>): void {
    const { fault } = this;
    if (fault === undefined) return;
    if (fault.kind === "down") {
      this.client.destroy();
      this.server.destroy();
    } else pipes[fault.direction].faulty ??= fault.kind;
  }

  /** Follows the messages. @returns how many bytes pass before the fault begins. */
  #look(direction: Direction, chunk: Uint8Array): number {
    const moment = this.fault?.moment;
    if (moment === undefined) return chunk.length;
    if (direction === "upstream" && this.#startup) {
      this.#startup = false;
      if (moment !== "login") return chunk.length;
      this.#begin();
      return 10;
    }
    const framer = direction === "upstream" ? this.#up : this.#down;
    for (let at = 0; at < chunk.length;) {
      at = framer.step(chunk, at, chunk.length);
      if (framer.broken) return chunk.length;
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
        this.#begin();
        // A part of the message passes, the rest does not as it should.
        return framer.bodyStart +
          (framer.bodyLength >> 1 > at - framer.bodyStart
            ? 0
            : framer.bodyLength >> 1);
      }
    }
    return chunk.length;
  }
}

/** One direction: what comes from one socket goes to the other, in order, as its fault lets it. */
class Pipe {
  faulty: FaultKind | undefined;
  #passed = 0;
  #queue: Promise<void> = Promise.resolve();

  constructor(readonly from: Socket, readonly to: Socket) {}

  send(bytes: Uint8Array): void {
    const copy = bytes.slice();
    const fault = this.faulty;
    this.#queue = this.#queue.then(() => this.#pass(copy, fault));
  }

  end(destroy = false): void {
    const fault = this.faulty;
    this.#queue = this.#queue.then(async () => {
      if (fault === "timeout") return;
      if (fault === "slow_close") await delay(SLOW_CLOSE_MS);
      if (destroy) this.to.destroy();
      else this.to.end();
    });
  }

  async #pass(bytes: Uint8Array, fault: FaultKind | undefined): Promise<void> {
    switch (fault) {
      case "timeout":
        return; // it goes nowhere, and nobody is told
      case "reset_peer":
        this.from.resetAndDestroy();
        this.to.resetAndDestroy();
        return;
      case "latency":
        await delay(LATENCY_MS);
        return void this.to.write(bytes);
      case "bandwidth":
        return await this.#slices(bytes, BYTES_PER_TICK, TICK_MS);
      case "slicer":
        return await this.#slices(bytes, SLICE_BYTES, 0);
      case "limit_data": {
        const rest = LIMIT_BYTES - this.#passed;
        this.#passed += bytes.length;
        if (rest > 0) this.to.write(bytes.subarray(0, rest));
        if (this.#passed >= LIMIT_BYTES) {
          this.to.end();
          this.from.end();
        }
        return;
      }
      default:
        this.to.write(bytes);
    }
  }

  async #slices(bytes: Uint8Array, size: number, ms: number): Promise<void> {
    for (let at = 0; at < bytes.length && !this.to.destroyed; at += size) {
      this.to.write(bytes.subarray(at, at + size));
      await delay(ms);
    }
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
