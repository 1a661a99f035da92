import { Episode } from "../listen/mod.ts";
import { nextDescriptor } from "../io/mod.ts";
import type { ConnectionTable } from "../stats/connection_table.ts";

/** Clients of a worker that have not logged in yet; those beyond are refused. */
export const MAX_LOGINS = 1_000;
/** Of these from one address; all unix sockets are one. */
export const MAX_ADDRESS_LOGINS = 500;
/** More than these, to the admin console only: it answers while others are refused. */
export const MAX_CONSOLE_LOGINS = 16;

/** What a door asks and tells its worker. */
export interface LoginDoorOwner {
  /** Descriptors of clients and primaries have lower numbers; a reload may change it. */
  maxDescriptors(): number;
  /** Clients are refused for want of descriptors; once in an {@linkcode Episode}. */
  onShort(): void;
}

/**
 * Lets the clients of a worker in, who have yet to log in. When there are too
 * many of them, and when descriptors are short, newcomers may still ask for the
 * admin console. What they ask for is known late: until then the oldest of them
 * makes room for the next.
 */
export class LoginDoor {
  readonly #clients: ConnectionTable;
  readonly #owner: LoginDoorOwner;
  readonly #shortages = new Episode();
  /** Logins of each address, those that are reserved aside. */
  readonly #byAddress = new Map<string, number>();
  /** By row, of the same logins. */
  readonly #addresses: (string | undefined)[] = [];
  /** What closes those who may ask for the console only, by row, the oldest first. */
  readonly #reserved = new Map<number, () => void>();

  /** @param clients only this door opens its rows. */
  constructor(clients: ConnectionTable, owner: LoginDoorOwner) {
    this.#clients = clients;
    this.#owner = owner;
    clients.onLoginEnd = (row) => this.#onLoginEnd(row);
  }

  /**
   * @param fd the client's.
   * @returns the client's row; -1 if the table is full.
   */
  open(fd: number, address: string, port: number, nowMs: number): number {
    const ofAddress = this.#byAddress.get(address) ?? 0;
    const reserved = this.#isShort(fd) || ofAddress >= MAX_ADDRESS_LOGINS ||
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

  /** The client may ask for a database, not for the admin console only: there is a descriptor for its primary, too. */
  letsThrough(row: number): boolean {
    return !this.#reserved.has(row) && !this.#isShort(nextDescriptor());
  }

  /** @param fd the next one, -1 if there is none. */
  #isShort(fd: number): boolean {
    if (fd >= 0 && fd < this.#owner.maxDescriptors()) return false;
    if (this.#shortages.shows(performance.now())) this.#owner.onShort();
    return true;
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
