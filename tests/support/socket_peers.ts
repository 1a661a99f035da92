import {
  accept,
  BROKEN,
  closeDescriptor,
  connect,
  EpollReactor,
  listen,
  NOT_NOW,
  setAbortive,
  socketAddress,
  SocketTransport,
  type Transport,
} from "../../src/io/mod.ts";
import { Dial, TlsContexts, type TlsTransport } from "../../src/tls/mod.ts";
import type { Certificate } from "./certificates.ts";
import { freePort } from "./proxy.ts";

/** How a pair of sockets is connected. */
export const KINDS = ["tcp", "unix", "tls"] as const;
export type Kind = (typeof KINDS)[number];

/** The far end of a connection. Nothing of it runs by itself. */
export class Peer {
  readonly #fd: number;
  readonly #transport: Transport;
  readonly #chunk = new Uint8Array(65_536);

  constructor(fd: number, transport: Transport) {
    this.#fd = fd;
    this.#transport = transport;
  }

  /** Sends all of `bytes`, as long as the socket takes them at once. @returns how many. */
  send(bytes: Uint8Array<ArrayBuffer>): number {
    let at = 0;
    while (at < bytes.length) {
      const sent = this.#transport.write(bytes.subarray(at), bytes.length - at);
      if (sent <= 0) break;
      at += sent;
    }
    return at;
  }

  /** Reads what is there. @returns how many bytes, -1 behind them at end of stream. */
  receive(): number {
    let total = 0;
    for (;;) {
      const count = this.#transport.read(this.#chunk, this.#chunk.length);
      if (count === NOT_NOW) return total;
      if (count <= 0) return total || -1;
      total += count;
    }
  }

  /** Says that nothing more comes, and goes on reading. */
  end(): void {
    this.#transport.shutdownWrite();
  }

  /** Goes in order: end of stream, and nothing is read any more. */
  close(): void {
    this.#transport.shutdownWrite();
    this.#transport.free();
    closeDescriptor(this.#fd);
  }

  /** Goes by a reset. A unix socket knows none but that of unread bytes. */
  reset(): void {
    this.#transport.free();
    setAbortive(this.#fd);
    closeDescriptor(this.#fd);
  }
}

/** One end for the code under test, and its peer. */
export interface Pair {
  readonly fd: number;
  readonly transport: Transport;
  readonly peer: Peer;
}

/** Connects two sockets in this thread; with TLS, after the handshake. */
export function connectedPair(kind: Kind, certificate?: Certificate): Pair {
  const folder = Deno.makeTempDirSync({ prefix: "pgdog-mirror-peer-" });
  const port = kind === "unix" ? 1 : freePort();
  const address = socketAddress(kind === "unix" ? folder : "127.0.0.1", port);
  const listener = listen(address);
  const far = connect(address);
  let fd = -1;
  while (fd < 0) fd = accept(listener, new Uint8Array(128));
  closeDescriptor(listener);
  Deno.removeSync(folder, { recursive: true });
  if (kind !== "tls") {
    const peer = new Peer(far, new SocketTransport(far));
    return { fd, transport: new SocketTransport(fd), peer };
  }
  const contexts = clientContexts(certificate);
  const { transport } = contexts.toClient(fd);
  const client = contexts.toServer(far, "us");
  shake(transport, client);
  contexts.close();
  return { fd, transport, peer: new Peer(far, client) };
}

/** Where a client's peer is, and how it is reached. */
export interface DialOptions {
  /** Numeric, or the folder of a unix socket. */
  readonly host?: string;
  readonly port: number;
  readonly tls: boolean;
}

/** A client of a server that runs elsewhere: connected, on TLS if asked for, and nothing said. */
export function dialPeer({ host = "127.0.0.1", port, tls }: DialOptions): Peer {
  const address = socketAddress(host, port);
  const reactor = new EpollReactor();
  const contexts = clientContexts();
  contexts.attach(reactor);
  let peer: Peer | undefined;
  let failure: string | undefined;
  const onOpen = (fd: number, transport: Transport) =>
    peer = new Peer(fd, transport);
  if (!tls) {
    const fd = connect(address);
    onOpen(fd, new SocketTransport(fd));
  } else {
    new Dial(
      reactor,
      contexts,
      { address, server: "us", clearAllowed: false },
      {
        onOpen,
        onFailed: (reason) => failure = reason,
      },
    );
  }
  for (let i = 0; i < 500 && peer === undefined; i++) {
    if (failure !== undefined) throw new Error(failure);
    reactor.turn(10);
  }
  reactor.end();
  contexts.close();
  if (peer === undefined) throw new Error("The server does not answer");
  return peer;
}

/** Contexts that know one server, "us", and believe it. */
function clientContexts(clients?: Certificate): TlsContexts {
  return new TlsContexts({
    clients,
    servers: {
      us: {
        verify: "require",
        host: "localhost",
        ca: undefined,
        identity: undefined,
      },
    },
    folder: "",
    version: "",
  });
}

/** Takes the steps of both ends in turn. */
export function shake(...ends: TlsTransport[]): void {
  const done = new Set<TlsTransport>();
  while (done.size < ends.length) {
    for (const end of ends) {
      if (done.has(end)) continue;
      const result = end.shake();
      if (result === BROKEN) throw new Error(end.reason);
      if (result !== NOT_NOW) done.add(end);
    }
  }
}

/** Takes turns of `reactor` until `done`, and a few more to see what comes behind it. */
export function turnUntil(
  reactor: EpollReactor,
  done: () => boolean,
  what: string,
): void {
  for (let i = 0; i < 5_000 && !done(); i++) reactor.turn(10);
  if (!done()) throw new Error(`Waited in vain for ${what}`);
  for (let i = 0; i < 3; i++) reactor.turn(1);
}
