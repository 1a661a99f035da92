import { receive, send, shutdownWrite } from "./socket.ts";

/** Not now: the reactor tells when. */
export const NOT_NOW = -1;
/** The connection is dead, whatever the socket's events say. */
export const BROKEN = -2;

/** How bytes go through one non-blocking socket: as they are, or through TLS. */
export interface Transport {
  /** Bytes are encrypted. */
  readonly encrypted: boolean;
  /** Why it is {@linkcode BROKEN}; "" if only the socket knows. */
  readonly reason: string;
  /** The last read waits until the socket can be written, the last write until it can be read. */
  readonly readWantsWrite: boolean;
  readonly writeWantsRead: boolean;
  /** Bytes are here that the socket has given already: no event tells of them. */
  readonly holdsBytes: boolean;
  /** Up to `length` bytes into `buffer`; 0 at end of stream; or a code above. */
  read(buffer: Uint8Array<ArrayBuffer>, length: number): number;
  /**
   * Sends what the socket takes of `bytes[0, length)`.
   *
   * @returns how many bytes, or a code above. Behind NOT_NOW the next write must begin with the same bytes.
   */
  write(bytes: Uint8Array<ArrayBuffer>, length: number): number;
  /** The peer reads end of stream; we can still read. */
  shutdownWrite(): void;
  /** Gives back what it holds, but not the descriptor; may be called twice. */
  free(): void;
}

/**
 * A socket in clear. `errno` is out of reach (libc.ts), so it never says
 * {@linkcode BROKEN}: the reactor does.
 */
export class SocketTransport implements Transport {
  readonly encrypted = false;
  readonly reason = "";
  readonly readWantsWrite = false;
  readonly writeWantsRead = false;
  readonly holdsBytes = false;
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  read(buffer: Uint8Array<ArrayBuffer>, length: number): number {
    return receive(this.#fd, buffer, length);
  }

  write(bytes: Uint8Array<ArrayBuffer>, length: number): number {
    return send(this.#fd, bytes, length);
  }

  shutdownWrite(): void {
    shutdownWrite(this.#fd);
  }

  free(): void {}
}
