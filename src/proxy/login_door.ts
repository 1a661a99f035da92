import type { ClientTable } from "../stats/client_table.ts";

/** Clients of a worker that have not logged in yet; those beyond are refused. */
export const MAX_LOGINS = 1_000;
/** Of these from one address; all unix sockets are one. */
export const MAX_ADDRESS_LOGINS = 500;
/** More than these, to the admin console only: it answers while others are refused. */
export const MAX_CONSOLE_LOGINS = 16;

/**
 * Lets the clients of a worker in, who have yet to log in. When there are too
 * many of them, and when descriptors are short, newcomers may still ask for the
 * admin console. What they ask for is known late: until then the oldest of them
 * makes room for the next.
 */
export class LoginDoor {
  readonly #clients: ClientTable;
  /** Logins of each address, those that are reserved aside. */
  readonly #byAddress = new Map<string, number>();
  /** By row, of the same logins. */
  readonly #addresses: (string | undefined)[] = [];
  /** What closes those who may ask for the console only, by row, the oldest first. */
  readonly #reserved = new Map<number, () => void>();

  /** @param clients only this door opens its rows. */
  constructor(clients: ClientTable) {
    this.#clients = clients;
    clients.onLoginEnd = (row) => this.#onLoginEnd(row);
  }

  /**
   * @param isShort of descriptors.
   * @returns the client's row; -1 if the table is full.
   */
  open(address: string, port: number, nowMs: number, isShort: boolean): number {
    const ofAddress = this.#byAddress.get(address) ?? 0;
    const reserved = isShort || ofAddress >= MAX_ADDRESS_LOGINS ||
      this.#clients.logins - this.#reserved.size >= MAX_LOGINS;
    if (reserved && this.#reserved.size >= MAX_CONSOLE_LOGINS) {
      const [oldest] = this.#reserved.values();
      oldest?.();
    }
    const row = this.#clients.open(address, port, nowMs);
    if (row < 0) return row;
    if (reserved) this.#reserved.set(row, () => {});
    else {
      this.#addresses[row] = address;
      this.#byAddress.set(address, ofAddress + 1);
    }
    return row;
  }

  /** What closes the client if another one needs its place. */
  closeBy(row: number, close: () => void): void {
    if (this.#reserved.has(row)) this.#reserved.set(row, close);
  }

  /** The client may ask for the admin console only. */
  isReserved(row: number): boolean {
    return this.#reserved.has(row);
  }

  #onLoginEnd(row: number): void {
    this.#reserved.delete(row);
    const address = this.#addresses[row];
    if (address === undefined) return;
    this.#addresses[row] = undefined;
    const others = (this.#byAddress.get(address) ?? 0) - 1;
    if (others > 0) this.#byAddress.set(address, others);
    else this.#byAddress.delete(address);
  }
}
