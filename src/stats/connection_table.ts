/**
 * One row for each client connection of a proxy worker (or lane of a mirror
 * worker), in shared memory: the worker writes it, the main thread reads it for
 * SHOW CLIENTS and SHOW SERVERS, the other workers for cancel keys.
 *
 * A reader may see a row in the middle of a change of hands; it is a display,
 * not a decision. The cancel key is written last and cleared first.
 *
 * @module
 */

const ROW_BYTES = 384;
const ROW_WORDS = ROW_BYTES / 4;
const ROW_DOUBLES = ROW_BYTES / 8;
const HEADER_BYTES = 64;
/** Routes with totals of their own; those beyond share the last. */
const ROUTES = 1_024;
/** Three doubles for each route: requests, bytes from clients, bytes to clients. */
const TOTALS = 3;
const TOTALS_BYTES = ROUTES * TOTALS * 8;
const ROWS_AT = HEADER_BYTES + TOTALS_BYTES;

// Words of a row.
const STATE = 0;
const PID = 1;
const KEY_HASH = 2;
const ROUTE = 3;
const PORT = 4;
const ADMITTED = 5;
// Doubles of a row.
const CONNECTED_AT = 4;
const REQUESTS = 5;
// Texts: byte offset in the row; the first byte is the length.
const USER = 64;
const DATABASE = 144;
const ADDRESS = 224;
const APPLICATION = 288;
const TEXT_BYTES = 64;

/** What a connection does, in the words of pg_stat_activity. */
export const CLIENT_STATES = [
  "free",
  "login",
  "idle",
  "active",
  "idle in transaction",
] as const;
export const ClientState = {
  free: 0,
  login: 1,
  idle: 2,
  active: 3,
  idleInTransaction: 4,
} as const;

/** Goes to the workers by postMessage. */
export interface ConnectionTableMemory {
  readonly buffer: SharedArrayBuffer;
  readonly rows: number;
}

/** Untouched rows cost address space, not memory. */
export function createConnectionTable(rows: number): ConnectionTableMemory {
  return {
    buffer: new SharedArrayBuffer(ROWS_AT + rows * ROW_BYTES),
    rows,
  };
}

/** A row as the main thread reads it. */
export interface ConnectionTableRow {
  readonly id: number;
  readonly state: string;
  readonly pid: number;
  readonly route: number;
  readonly user: string;
  readonly database: string;
  readonly address: string;
  readonly port: number;
  readonly applicationName: string;
  /** Milliseconds since the epoch. */
  readonly connectedAt: number;
  readonly requests: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A view of one worker's table; only that worker may write. */
export class ConnectionTable {
  readonly rows: number;
  readonly #totals: Float64Array<SharedArrayBuffer>;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #doubles: Float64Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;
  readonly #header: Int32Array<SharedArrayBuffer>;
  readonly #free: number[] = [];
  /** Connections whose login has not ended; known to the writer only. */
  logins = 0;
  /** The login of a row's connection has ended, well or not; told to the writer only. */
  onLoginEnd: (row: number) => void = () => {};

  constructor(memory: ConnectionTableMemory) {
    this.rows = memory.rows;
    const { buffer } = memory;
    this.#header = new Int32Array(buffer, 0, 2);
    this.#totals = new Float64Array(buffer, HEADER_BYTES, ROUTES * TOTALS);
    this.#words = new Int32Array(buffer, ROWS_AT);
    this.#doubles = new Float64Array(buffer, ROWS_AT);
    this.#bytes = new Uint8Array(buffer, ROWS_AT);
  }

  /** Connections now in the table. */
  get used(): number {
    return Atomics.load(this.#header, 1);
  }

  /** Takes a row, state `login`; -1 if the table is full. */
  open(address: string, port: number, connectedAt: number): number {
    let row = this.#free.pop();
    if (row === undefined) {
      row = Atomics.load(this.#header, 0);
      if (row === this.rows) return -1;
      Atomics.store(this.#header, 0, row + 1);
    }
    Atomics.add(this.#header, 1, 1);
    const word = row * ROW_WORDS;
    this.#words.fill(0, word, word + ROW_WORDS);
    this.#words[word + PORT] = port;
    this.#doubles[row * ROW_DOUBLES + CONNECTED_AT] = connectedAt;
    this.#setText(row, ADDRESS, address);
    Atomics.store(this.#words, word + STATE, ClientState.login);
    this.logins++;
    return row;
  }

  /** Names the connection once its startup packet is known. */
  identify(
    row: number,
    route: number,
    user: string,
    database: string,
    applicationName: string,
  ): void {
    this.#words[row * ROW_WORDS + ROUTE] = route;
    this.#setText(row, USER, user);
    this.#setText(row, DATABASE, database);
    this.#setText(row, APPLICATION, applicationName);
  }

  /** The server's process and the hash of its cancel key. */
  setBackend(row: number, pid: number, keyHash: number): void {
    this.#words[row * ROW_WORDS + KEY_HASH] = keyHash;
    Atomics.store(this.#words, row * ROW_WORDS + PID, pid);
  }

  /** Whether it has proved who it is, and counts. */
  setAdmitted(row: number, admitted: boolean): void {
    Atomics.store(this.#words, row * ROW_WORDS + ADMITTED, admitted ? 1 : 0);
  }

  setState(row: number, state: number): void {
    const word = row * ROW_WORDS + STATE;
    const before = this.#words[word];
    this.#words[word] = state;
    if (before === ClientState.login) this.#loginEnded(row);
  }

  countRequest(row: number): void {
    (this.#doubles[row * ROW_DOUBLES + REQUESTS] as number)++;
    (this.#totals[this.#totalOf(row)] as number)++;
  }

  /** Bytes that came from the client. */
  countReceived(row: number, bytes: number): void {
    (this.#totals[this.#totalOf(row) + 1] as number) += bytes;
  }

  /** Bytes that went to the client. */
  countSent(row: number, bytes: number): void {
    (this.#totals[this.#totalOf(row) + 2] as number) += bytes;
  }

  /** What the clients of a route have done since the start, those that have gone included. */
  totals(route: number): { requests: number; received: number; sent: number } {
    const at = Math.min(route, ROUTES - 1) * TOTALS;
    return {
      requests: this.#totals[at] as number,
      received: this.#totals[at + 1] as number,
      sent: this.#totals[at + 2] as number,
    };
  }

  #totalOf(row: number): number {
    const route = this.#words[row * ROW_WORDS + ROUTE] as number;
    return Math.min(route, ROUTES - 1) * TOTALS;
  }

  close(row: number): void {
    const word = row * ROW_WORDS;
    Atomics.store(this.#words, word + PID, 0);
    const before = this.#words[word + STATE];
    Atomics.store(this.#words, word + STATE, ClientState.free);
    Atomics.sub(this.#header, 1, 1);
    if (before === ClientState.login) this.#loginEnded(row);
    this.#free.push(row);
  }

  #loginEnded(row: number): void {
    this.logins--;
    this.onLoginEnd(row);
  }

  /** The route of the connection whose server issued this cancel key, or -1. */
  findBackend(pid: number, keyHash: number): number {
    const end = Atomics.load(this.#header, 0) * ROW_WORDS;
    for (let word = 0; word < end; word += ROW_WORDS) {
      if (
        Atomics.load(this.#words, word + PID) === pid &&
        this.#words[word + KEY_HASH] === keyHash
      ) return this.#words[word + ROUTE] as number;
    }
    return -1;
  }

  /** Admitted connections: all, or those of a database, of a user, or of both. */
  count(of: { readonly database?: string; readonly user?: string }): number {
    const database = of.database === undefined ? undefined : cut(of.database);
    const user = of.user === undefined ? undefined : cut(of.user);
    const end = Atomics.load(this.#header, 0);
    let count = 0;
    for (let row = 0; row < end; row++) {
      const word = row * ROW_WORDS;
      if (Atomics.load(this.#words, word + STATE) === ClientState.free) {
        continue;
      }
      if (Atomics.load(this.#words, word + ADMITTED) === 0) continue;
      if (database !== undefined && !this.#isText(row, DATABASE, database)) {
        continue;
      }
      if (user !== undefined && !this.#isText(row, USER, user)) continue;
      count++;
    }
    return count;
  }

  /** Whether none of a database's connections logs in, runs anything, or is in a transaction. */
  isIdle(database: string): boolean {
    const encoded = cut(database);
    const end = Atomics.load(this.#header, 0);
    for (let row = 0; row < end; row++) {
      const state = Atomics.load(this.#words, row * ROW_WORDS + STATE);
      const isBusy = state !== ClientState.free && state !== ClientState.idle;
      if (isBusy && this.#isText(row, DATABASE, encoded)) return false;
    }
    return true;
  }

  /** How many connections are in a state of {@linkcode ClientState}. */
  inState(state: number): number {
    let count = 0;
    const end = Atomics.load(this.#header, 0);
    for (let row = 0; row < end; row++) {
      if (Atomics.load(this.#words, row * ROW_WORDS + STATE) === state) count++;
    }
    return count;
  }

  /** All connections, for display. */
  read(): ConnectionTableRow[] {
    const result: ConnectionTableRow[] = [];
    const end = Atomics.load(this.#header, 0);
    for (let row = 0; row < end; row++) {
      const word = row * ROW_WORDS;
      const state = Atomics.load(this.#words, word + STATE);
      if (state === ClientState.free) continue;
      result.push({
        id: row,
        state: CLIENT_STATES[state] ?? "free",
        pid: this.#words[word + PID] as number,
        route: this.#words[word + ROUTE] as number,
        user: this.#text(row, USER),
        database: this.#text(row, DATABASE),
        address: this.#text(row, ADDRESS),
        port: this.#words[word + PORT] as number,
        applicationName: this.#text(row, APPLICATION),
        connectedAt: this.#doubles[row * ROW_DOUBLES + CONNECTED_AT] as number,
        requests: this.#doubles[row * ROW_DOUBLES + REQUESTS] as number,
      });
    }
    return result;
  }

  #setText(row: number, offset: number, text: string): void {
    const at = row * ROW_BYTES + offset;
    const encoded = cut(text);
    this.#bytes.set(encoded, at + 1);
    this.#bytes[at] = encoded.length;
  }

  #isText(row: number, offset: number, encoded: Uint8Array): boolean {
    const at = row * ROW_BYTES + offset;
    if (this.#bytes[at] !== encoded.length) return false;
    for (let i = 0; i < encoded.length; i++) {
      if (this.#bytes[at + 1 + i] !== encoded[i]) return false;
    }
    return true;
  }

  #text(row: number, offset: number): string {
    const at = row * ROW_BYTES + offset;
    const length = this.#bytes[at] as number;
    return decoder.decode(this.#bytes.slice(at + 1, at + 1 + length));
  }
}

/** As much of a text as a row holds; PostgreSQL's own names are no longer. */
function cut(text: string): Uint8Array {
  return encoder.encode(text).subarray(0, TEXT_BYTES - 1);
}

/** FNV-1a of a cancel key of any length (protocol 3.2 has longer ones). */
export function hashCancelKey(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash | 0;
}
