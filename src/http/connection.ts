import { Duplex } from "node:stream";

/** One read. */
const BUFFER_BYTES = 16 * 1024;

/** What a client gets, in milliseconds. */
export interface ConnectionTimes {
  /** To send a request, whole. */
  readonly requestMs: number;
  /** From then on, to have its response, whole. */
  readonly responseMs: number;
}

/** A client's connection, for one request. node:http reads and writes its stream. */
export class HttpConnection {
  readonly stream: Duplex;
  readonly #times: ConnectionTimes;
  #asked = false;
  #answering = false;
  /** The client sends no more. */
  #ended = false;
  #timer: ReturnType<typeof setTimeout>;

  constructor(
    conn: Deno.TcpConn,
    times: ConnectionTimes,
    onClosed: () => void,
  ) {
    this.#times = times;
    this.stream = streamOf(conn, {
      // Half-closed behind its request, it may still read the response.
      onEnd: () => {
        this.#ended = true;
        this.#closeIfDone();
      },
      onClosed: () => {
        clearTimeout(this.#timer);
        onClosed();
      },
    });
    // The client has gone, or has to: nobody needs to be told.
    this.stream.on("error", () => {});
    // Closed with bytes unread, the last of the response could get lost.
    this.stream.on("finish", () => this.#wait(false, times.requestMs));
    this.#timer = setTimeout(() => this.close(), times.requestMs);
  }

  /** From the request's end to the response's. */
  get answering(): boolean {
    return this.#answering;
  }

  /**
   * A request has come: its response may take its time.
   *
   * @returns false if it is another one, sent without waiting: nobody answers it.
   */
  answer(): boolean {
    if (this.#asked) return false;
    this.#asked = true;
    this.#wait(true, this.#times.responseMs);
    return true;
  }

  #wait(answering: boolean, ms: number): void {
    this.#answering = answering;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.close(), ms);
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (this.#ended && !this.#answering) this.close();
  }

  close(): void {
    this.stream.destroy();
  }
}

/**
 * Not a socket of node:net: its listener in Deno 2.9.6 accepts nobody any more
 * once accept() has failed for want of descriptors, and says nothing.
 */
function streamOf(
  conn: Deno.TcpConn,
  owner: { onEnd(): void; onClosed(): void },
): Duplex {
  return new Duplex({
    read() {
      const buffer = new Uint8Array(BUFFER_BYTES);
      conn.read(buffer).then(
        (count) =>
          count === null ? owner.onEnd() : this.push(buffer.subarray(0, count)),
        (error) => this.destroy(error),
      );
    },
    write(chunk: Uint8Array, _encoding, done) {
      writeAll(conn, chunk).then(() => done(), done);
    },
    final(done) {
      conn.closeWrite().then(() => done(), done);
    },
    destroy(error, done) {
      try {
        conn.close();
      } catch {
        // Deno closed it before us.
      }
      owner.onClosed();
      done(error);
    },
  });
}

async function writeAll(conn: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await conn.write(bytes.subarray(at));
  }
}
