import { Episode } from "./episode.ts";

/** After accept() failed, e.g. for want of descriptors. */
const ACCEPT_RETRY_MS = 100;

/** Who takes the connections of a listener. */
export interface AcceptLoopOwner {
  onConnection(conn: Deno.TcpConn): void;
  /** A connection can't be accepted; once in an {@linkcode Episode}, in which some may be. */
  onRefused(error: unknown): void;
}

/** Accepts the connections of one listener on the main thread, until it is closed. */
export class AcceptLoop {
  readonly #listener: Deno.TcpListener;
  readonly #owner: AcceptLoopOwner;
  #closed = false;
  /** Ends the rest after a failure. */
  #wake = () => {};

  constructor(listener: Deno.TcpListener, owner: AcceptLoopOwner) {
    this.#listener = listener;
    this.#owner = owner;
    void this.#run();
  }

  /** May be called twice. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
    this.#wake();
  }

  async #run(): Promise<void> {
    const refusals = new Episode();
    while (!this.#closed) {
      let conn: Deno.TcpConn;
      try {
        conn = await this.#listener.accept();
      } catch (error) {
        if (this.#closed) return;
        if (refusals.shows(performance.now())) this.#owner.onRefused(error);
        await this.#rest();
        continue;
      }
      if (this.#closed) return conn.close();
      this.#owner.onConnection(conn);
    }
  }

  #rest(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ACCEPT_RETRY_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
