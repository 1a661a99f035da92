import {
  BROKEN,
  closeDescriptor,
  EpollReactor,
  NOT_NOW,
  socketAddress,
  type Transport,
} from "../../io/mod.ts";
import { resolveNames } from "../../control/names.ts";
import { Dial, type TlsContexts } from "../../tls/mod.ts";

/** What a connection is made of, in clear or not. */
export interface ByteStream {
  /** @returns how many bytes are at the start of `into` now; null at the end. */
  read(into: Uint8Array<ArrayBuffer>): Promise<number | null>;
  /** @returns how many bytes were taken. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<number>;
  close(): void;
}

/** A server that is asked for TLS, by the keys that the proxy goes by. */
export interface TlsServer {
  readonly contexts: TlsContexts;
  /** Its name in the contexts. */
  readonly name: string;
  /** Go on in clear if it has no TLS. */
  readonly clearAllowed: boolean;
}

/** How often a socket is asked: a few queries in all are no reason for a thread with a loop. */
const POLL_MS = 2;

/**
 * Connects and negotiates TLS.
 *
 * @throws {Error} if it can't be had, or the certificate is not accepted.
 */
export async function openTls(
  { host, port }: { readonly host: string; readonly port: number },
  { contexts, name, clearAllowed }: TlsServer,
  signal: AbortSignal,
): Promise<ByteStream> {
  const { addresses, failed } = await resolveNames([host], new Map());
  const address = addresses.get(host);
  if (address === undefined) throw new Error(failed.get(host) ?? "no address");
  const reactor = new EpollReactor();
  try {
    let opened: ByteStream | undefined;
    let failure: string | undefined;
    contexts.attach(reactor);
    const target = { address: socketAddress(address, port), clearAllowed };
    const dial = new Dial(reactor, contexts, { ...target, server: name }, {
      onOpen: (fd, transport) => opened = streamOf(fd, transport),
      onFailed: (reason) => failure = reason,
    });
    while (opened === undefined && failure === undefined) {
      if (signal.aborted) {
        dial.close();
        failure = "no answer in time";
      } else await delay();
      reactor.turn(0);
    }
    if (opened === undefined) throw new Error(failure);
    return opened;
  } finally {
    reactor.end();
  }
}

function streamOf(fd: number, transport: Transport): ByteStream {
  let open = true;
  /** Asks until the socket is ready. */
  const ready = async (ask: () => number): Promise<number> => {
    for (;;) {
      const count = open ? ask() : BROKEN;
      if (count >= 0) return count;
      if (count !== NOT_NOW) {
        throw new Error(transport.reason || "the connection is closed");
      }
      await delay();
    }
  };
  return {
    async read(into) {
      return await ready(() => transport.read(into, into.length)) || null;
    },
    write: (bytes) => ready(() => transport.write(bytes, bytes.length)),
    close() {
      if (!open) return;
      open = false;
      transport.free();
      closeDescriptor(fd);
    },
  };
}

function delay(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
