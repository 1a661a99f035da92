import { CpuWatch } from "../cpu_watch.ts";
import type { Target } from "../support.ts";
import {
  BulkClient,
  LINE_BYTES,
  ROW_BYTES,
  ROW_CHARACTERS,
} from "./bulk_client.ts";

/** Much data, moved once. */
export interface Moved {
  readonly bytes: number;
  readonly ms: number;
  /** Of the target's threads that count, in microseconds. */
  readonly cpuUs: number;
  /** Of all its threads. */
  readonly processCpuUs: number;
}

/** What a slow client reads at once, and the pause after it. */
const SLOW_BYTES = 16 * 1024;
const SLOW_MS = 50;

const rows = (count: number) =>
  `select repeat('x', ${ROW_CHARACTERS}) from generate_series(1, ${count})`;

/**
 * Fetches a result of about so many bytes, or copies it to the client.
 *
 * @throws {Error} if the server answers with an error, or a row is missing.
 */
export function fetchLarge(
  target: Target,
  how: "select" | "copy",
  bytes: number,
): Promise<Moved> {
  const count = Math.ceil(bytes / (how === "select" ? ROW_BYTES : LINE_BYTES));
  const sql = how === "select"
    ? rows(count)
    : `copy (${rows(count)}) to stdout`;
  return moving(target, async (client) => {
    const received = await client.query(sql);
    if (received.rows !== count) {
      throw new Error(`${received.rows} rows came of ${count}`);
    }
    return received.bytes;
  });
}

/** Copies about so many bytes to the server, and rolls back: every run finds the table empty. */
export function copyIn(target: Target, bytes: number): Promise<Moved> {
  const lines = Math.ceil(bytes / LINE_BYTES);
  return moving(target, async (client) => {
    await client.query("begin");
    const sent = await client.copyIn("copy bulk from stdin", lines);
    await client.query("rollback");
    return sent;
  });
}

/**
 * Lets clients read a large result slowly as long as something else runs. The
 * kernel's receive buffers stay as small as they begin, because it lets those
 * only grow that are read fast.
 */
export async function fetchSlowly<T>(
  target: Target,
  clients: number,
  bytes: number,
  meanwhile: () => Promise<T>,
): Promise<T> {
  const sql = rows(Math.ceil(bytes / ROW_BYTES));
  using stack = new DisposableStack();
  const stopped = new AbortController();
  const reading: Promise<void>[] = [];
  for (let i = 0; i < clients; i++) {
    const client = stack.use(await BulkClient.connect(target));
    await client.begin(sql);
    reading.push(readSlowly(client, stopped.signal));
  }
  const [result, ...others] = await Promise.allSettled([
    meanwhile().finally(() => stopped.abort()),
    ...reading,
  ]);
  for (const other of [result, ...others]) {
    if (other.status === "rejected") throw other.reason;
  }
  return (result as PromiseFulfilledResult<T>).value;
}

/** @throws {Error} if nothing comes, or an error does. */
async function readSlowly(
  client: BulkClient,
  signal: AbortSignal,
): Promise<void> {
  do {
    await client.readOnce(SLOW_BYTES);
    await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
  } while (!client.isReady && !signal.aborted);
}

async function moving(
  target: Target,
  move: (client: BulkClient) => Promise<number>,
): Promise<Moved> {
  using client = await BulkClient.connect(target);
  const watch = CpuWatch.start(target);
  const start = performance.now();
  let bytes: number;
  let ms: number;
  try {
    bytes = await move(client);
    ms = performance.now() - start;
  } finally {
    watch.stop();
  }
  const { threads, process } = watch.last(Infinity);
  return { bytes, ms, cpuUs: threads, processCpuUs: process };
}
