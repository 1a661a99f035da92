import { closeDescriptor, socketPair } from "../io/mod.ts";

/** A socket that changes its thread; whoever gets it closes both descriptors. */
export type Handover =
  & {
    /** The socket that speaks TLS. */
    readonly fd: number;
    /** The TLS worker's end of the pair that speaks plaintext. */
    readonly plainFd: number;
  }
  & (
    | {
      /** A client connects to us. The pair begins with an opening ("opening.ts"). */
      readonly role: "server";
      /** It began with TLS, without an SSLRequest: ALPN is a must. */
      readonly direct: boolean;
    }
    | {
      /** We connect to a server. The pair's first byte tells how it went ("status.ts"). */
      readonly role: "client";
      /** Its name in the material. */
      readonly server: string;
    }
  );

/** A blocking worker's way to its TLS worker: posting works from inside its loop. */
export class TlsEdge {
  readonly #port: MessagePort;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  /**
   * Gives a client's socket away, which no reactor may watch any more.
   *
   * @returns the plaintext's descriptor; -1 without descriptors, `fd` is closed then.
   */
  toClient(fd: number, direct: boolean): number {
    return this.#give(
      fd,
      (plainFd) => ({ role: "server", fd, plainFd, direct }),
    );
  }

  /** As {@linkcode TlsEdge.toClient}, with a server's socket. */
  toServer(fd: number, server: string): number {
    return this.#give(
      fd,
      (plainFd) => ({ role: "client", fd, plainFd, server }),
    );
  }

  #give(fd: number, handover: (plainFd: number) => Handover): number {
    const pair = socketPair();
    if (pair === undefined) {
      closeDescriptor(fd);
      return -1;
    }
    this.#port.postMessage(handover(pair[1]));
    return pair[0];
  }
}
