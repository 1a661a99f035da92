import {
  connect as dial,
  createServer,
  type Server,
  type Socket,
} from "node:net";
import {
  type Direction,
  DIRECTIONS,
  MessageWatch,
  type Moment,
  RecordWatch,
  type Signal,
  type TlsMoment,
  type Watch,
} from "./fault_moments.ts";

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

export interface Fault<M> {
  readonly kind: FaultKind;
  readonly direction: Direction;
  readonly moment: M;
}

const LATENCY_MS = 60;
const BYTES_PER_TICK = 64;
const TICK_MS = 2;
const SLOW_CLOSE_MS = 100;
const SLICE_BYTES = 3;
/** A handshake is long. */
const TLS_SLICE_BYTES = 16;
const LIMIT_BYTES = 20;

/** A server. */
interface Target {
  readonly host: string;
  readonly port: number;
}

/**
 * A TCP proxy in front of a server that does to its connections what networks
 * do. A fault is armed, begins at its moment on the first connection that
 * comes to it, and lasts for that connection; "down" lasts until it is taken away.
 */
export class FaultProxy<M> implements AsyncDisposable {
  readonly host = "127.0.0.1";
  port = 0;
  /** Faults that have begun. */
  begun = 0;
  #fault: Fault<M> | undefined;
  readonly #signal: Signal = { records: 0 };
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Of the connections since the last {@linkcode FaultProxy.arm}. */
  readonly #watches = new Set<Watch>();

  private constructor(
    readonly target: Target,
    readonly watch: (fault: Fault<M> | undefined, signal: Signal) => Watch,
    readonly sliceBytes: number,
  ) {
    this.#server = createServer(
      { allowHalfOpen: true, noDelay: true },
      (socket) => this.#accept(socket),
    );
  }

  /** For connections in clear. */
  static start(target: Target): Promise<FaultProxy<Moment>> {
    const watch = (fault: Fault<Moment> | undefined) =>
      new MessageWatch(fault?.moment);
    return new FaultProxy(target, watch, SLICE_BYTES).#listen();
  }

  /** For connections on TLS. */
  static startTls(target: Target): Promise<FaultProxy<TlsMoment>> {
    const watch = (fault: Fault<TlsMoment> | undefined, signal: Signal) =>
      new RecordWatch(fault?.moment, fault?.direction, signal);
    return new FaultProxy(target, watch, TLS_SLICE_BYTES).#listen();
  }

  /** Bytes that came in clear where all should be on TLS, since the last {@linkcode FaultProxy.arm}. */
  get inClear(): number {
    return [...this.#watches].reduce((sum, { inClear }) => sum + inClear, 0);
  }

  /** The next connection meets this fault; undefined: no more, and connections are ended. */
  arm(fault: Fault<M> | undefined): void {
    this.#fault = fault;
    this.begun = 0;
    this.#signal.records = 0;
    this.#watches.clear();
    for (const socket of this.#sockets) socket.destroy();
  }

  /** An armed fault whose moment is "signal" begins in the middle of the next TLS record in its direction, or of a later one. */
  signal(records = 1): void {
    this.#signal.records = records;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.arm(undefined);
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #listen(): Promise<this> {
    await new Promise<void>((resolve) =>
      this.#server.listen(0, this.host, resolve)
    );
    this.port = (this.#server.address() as { port: number }).port;
    return this;
  }

  #accept(client: Socket): void {
    const fault = this.#fault;
    if (fault?.kind === "down" && this.begun > 0) return void client.destroy();
    const { host, port } = this.target;
    const server = dial({ host, port, allowHalfOpen: true, noDelay: true });
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
    }
    const watch = this.watch(fault, this.#signal);
    this.#watches.add(watch);
    const pipes = {
      upstream: new Pipe(client, server, this.sliceBytes),
      downstream: new Pipe(server, client, this.sliceBytes),
    };
    new Link(pipes, watch, fault, () => this.begun++).run();
  }
}

/** Both directions between two sockets, and the moment at which a fault begins there. */
class Link {
  #active = false;

  constructor(
    readonly pipes: Readonly<Record<Direction, Pipe>>,
    readonly watch: Watch,
    readonly fault: Fault<unknown> | undefined,
    readonly onBegin: () => void,
  ) {}

  run(): void {
    if (this.fault?.moment === "connect") this.#begin();
    for (const direction of DIRECTIONS) {
      const pipe = this.pipes[direction];
      pipe.from.on("data", (chunk: Uint8Array) => {
        const moment = this.watch.look(direction, chunk);
        const at = this.#active ? 0 : moment ?? chunk.length;
        if (at > 0) pipe.send(chunk.subarray(0, at));
        if (moment !== undefined && !this.#active) this.#begin();
        if (at < chunk.length) pipe.send(chunk.subarray(at));
      });
      pipe.from.on("end", () => pipe.end());
      pipe.from.on("close", () => pipe.end(true));
    }
  }

  #begin(): void {
    const { fault, pipes } = this;
    this.#active = true;
    this.onBegin();
    if (fault === undefined) return;
    if (fault.kind === "down") {
      pipes.upstream.from.destroy();
      pipes.downstream.from.destroy();
    } else pipes[fault.direction].faulty ??= fault.kind;
  }
}

/** One direction: what comes from one socket goes to the other, in order, as its fault lets it. */
class Pipe {
  faulty: FaultKind | undefined;
  #passed = 0;
  #queue: Promise<void> = Promise.resolve();

  constructor(
    readonly from: Socket,
    readonly to: Socket,
    readonly sliceBytes: number,
  ) {}

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
        return await this.#slices(bytes, this.sliceBytes, 0);
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
