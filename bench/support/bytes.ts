/**
 * What the benches send through the code: bytes as clients and servers have
 * sent them. The pgbench conversations were read off the wire between pgbench
 * 15.18 and PostgreSQL 15.18 (`pgbench -S -M simple`, and so on; scale 1). What
 * is large is made here in the same form, because nobody wants it in the tree.
 *
 * @module
 */

/** What a client sends at once, and what the server answers to it. */
export interface Exchange {
  readonly request: Uint8Array<ArrayBuffer>;
  readonly reply: Uint8Array<ArrayBuffer>;
}

/** One character is one byte. */
function raw(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function exchange(request: string, reply: string): Exchange {
  return { request: raw(request), reply: raw(reply) };
}

const DESCRIPTION =
  "T\0\0\0!\0\x01abalance\0\0\0@\x06\0\x03\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0";
const SELECTED = `${DESCRIPTION}D\0\0\0\x0b\0\x01\0\0\0\x010` +
  "C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I";
const PORTAL = "D\0\0\0\x06P\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04";

/** A transaction of `pgbench -S` in each of its protocols. */
export const SELECT: Readonly<
  Record<"simple" | "extended" | "prepared", readonly Exchange[]>
> = {
  simple: [exchange(
    "Q\0\0\0=SELECT abalance FROM pgbench_accounts WHERE aid = 23665;\0",
    SELECTED,
  )],
  extended: [exchange(
    "P\0\0\0=\0SELECT abalance FROM pgbench_accounts WHERE aid = $1;\0\0\0" +
      `B\0\0\0\x17\0\0\0\0\0\x01\0\0\0\x0545778\0\x01\0\0${PORTAL}`,
    `1\0\0\0\x042\0\0\0\x04${SELECTED}`,
  )],
  prepared: [exchange(
    `B\0\0\0\x1a\0P_0\0\0\0\0\x01\0\0\0\x0512717\0\x01\0\0${PORTAL}`,
    `2\0\0\0\x04${SELECTED}`,
  )],
};

/** A transaction of `pgbench`: TPC-B-like, simple protocol. */
export const TPCB: readonly Exchange[] = [
  exchange("Q\0\0\0\x0bBEGIN;\0", "C\0\0\0\x0aBEGIN\0Z\0\0\0\x05T"),
  exchange(
    "Q\0\0\0OUPDATE pgbench_accounts SET abalance = abalance + -4357 WHERE aid = 12339;\0",
    "C\0\0\0\x0dUPDATE 1\0Z\0\0\0\x05T",
  ),
  exchange(
    "Q\0\0\0=SELECT abalance FROM pgbench_accounts WHERE aid = 12339;\0",
    `${DESCRIPTION}D\0\0\0\x0f\0\x01\0\0\0\x05-4357` +
      "C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05T",
  ),
  exchange(
    "Q\0\0\0JUPDATE pgbench_tellers SET tbalance = tbalance + -4357 WHERE tid = 4;\0",
    "C\0\0\0\x0dUPDATE 1\0Z\0\0\0\x05T",
  ),
  exchange(
    "Q\0\0\0KUPDATE pgbench_branches SET bbalance = bbalance + -4357 WHERE bid = 1;\0",
    "C\0\0\0\x0dUPDATE 1\0Z\0\0\0\x05T",
  ),
  exchange(
    "Q\0\0\0nINSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (4, 1, 12339, -4357, CURRENT_TIMESTAMP);\0",
    "C\0\0\0\x0fINSERT 0 1\0Z\0\0\0\x05T",
  ),
  exchange("Q\0\0\0\x09END;\0", "C\0\0\0\x0bCOMMIT\0Z\0\0\0\x05I"),
];

/** A login's last message. */
export const READY = raw("Z\0\0\0\x05I");

/** A DataRow of these columns, in text. */
function dataRow(columns: readonly string[]): Uint8Array<ArrayBuffer> {
  const length = columns.reduce((sum, text) => sum + 4 + text.length, 2);
  const bytes = new Uint8Array(5 + length);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x44; // D
  view.setInt32(1, 4 + length);
  view.setInt16(5, columns.length);
  let at = 7;
  for (const text of columns) {
    view.setInt32(at, text.length);
    bytes.set(raw(text), at + 4);
    at += 4 + text.length;
  }
  return bytes;
}

/** `bytes` in whole rows of `TABLE pgbench_accounts`: aid, bid, abalance, and 84 blanks. */
export function accountRows(bytes: number): Uint8Array<ArrayBuffer> {
  const rows = new Uint8Array(bytes);
  let at = 0;
  for (let aid = 1;; aid++) {
    const row = dataRow([String(aid), "1", "0", " ".repeat(84)]);
    if (at + row.length > bytes) return rows.subarray(0, at);
    rows.set(row, at);
    at += row.length;
  }
}

/** One DataRow with a text of `bytes` bytes. */
export function largeRow(bytes: number): Uint8Array<ArrayBuffer> {
  return dataRow(["Lorem ipsum dolor ".repeat(bytes / 18 + 1).slice(0, bytes)]);
}

/** Cut as reads into a buffer of `size` bytes give them. */
export function chunksOf(
  bytes: Uint8Array<ArrayBuffer>,
  size: number,
): Uint8Array<ArrayBuffer>[] {
  const chunks = [];
  for (let at = 0; at < bytes.length; at += size) {
    chunks.push(bytes.slice(at, at + size));
  }
  return chunks;
}
