import { HOST } from "../support.ts";

/** What `/metrics` says of the ledger, of one source, mirror and user, or of all together. */
export interface Ledger {
  readonly seen: number;
  readonly replayed: number;
  readonly excluded: number;
  readonly dropped: number;
  readonly failed: number;
  readonly pending: number;
}

/** One scrape. */
export interface Scrape {
  readonly clients: number;
  /** By the labels that name source, mirror and user. */
  readonly ledgers: ReadonlyMap<string, Ledger>;
}

const FAMILIES: Readonly<Record<string, keyof Ledger>> = {
  pgdog_mirror_requests_total: "seen",
  pgdog_mirror_requests_mirrored_total: "replayed",
  pgdog_mirror_requests_excluded_total: "excluded",
  pgdog_mirror_requests_dropped_total: "dropped",
  pgdog_mirror_requests_failed_total: "failed",
  pgdog_mirror_pending_requests: "pending",
};
const NOTHING: Ledger = {
  seen: 0,
  replayed: 0,
  excluded: 0,
  dropped: 0,
  failed: 0,
  pending: 0,
};
const EVERY_MS = 50;
/** More than `mirror_timeout`: within it a mirror works something off, however slow it is. */
const PATIENCE_MS = 60_000;
/** Once something has stalled the program has failed, and need not take hours. */
const LITTLE_PATIENCE_MS = 2_000;
let patienceMs = PATIENCE_MS;

/** Reads the ledger out of Prometheus' text format. */
export function parseScrape(text: string): Scrape {
  const ledgers = new Map<string, Ledger>();
  let clients = 0;
  for (const line of text.split("\n")) {
    const [, name = "", labels = "", number] =
      /^(\w+)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
    const value = Number(number);
    if (name === "pgdog_clients") clients += value;
    const field = FAMILIES[name];
    if (field === undefined) continue;
    const key = labels.replace(/,?\breason="[^"]*"/, "");
    const ledger = ledgers.get(key) ?? NOTHING;
    ledgers.set(key, { ...ledger, [field]: ledger[field] + value });
  }
  return { clients, ledgers };
}

/** The sum over all sources, mirrors and users. */
export function total({ ledgers }: Scrape): Ledger {
  let sum = NOTHING;
  for (const ledger of ledgers.values()) {
    sum = {
      seen: sum.seen + ledger.seen,
      replayed: sum.replayed + ledger.replayed,
      excluded: sum.excluded + ledger.excluded,
      dropped: sum.dropped + ledger.dropped,
      failed: sum.failed + ledger.failed,
      pending: sum.pending + ledger.pending,
    };
  }
  return sum;
}

/** What is wrong with the ledger after a run; nothing, if it closes. */
export function ledgerProblems(
  scrape: Scrape,
  /** Requests that were seen before the run. */
  seenBefore: number,
  /** Transactions that clients know of: at least so many requests. */
  transactions: number,
): string[] {
  const problems: string[] = [];
  for (const [labels, ledger] of scrape.ledgers) {
    const { seen, replayed, excluded, dropped, failed, pending } = ledger;
    if (seen !== replayed + excluded + dropped + failed + pending) {
      problems.push(
        `the ledger of {${labels}} does not close: ${JSON.stringify(ledger)}`,
      );
    }
  }
  const { pending, seen } = total(scrape);
  if (pending !== 0) problems.push(`${pending} requests stay pending`);
  if (scrape.clients !== 0) problems.push(`${scrape.clients} clients stay`);
  if (seen - seenBefore < transactions) {
    problems.push(
      `${transactions} transactions, but ${seen - seenBefore} requests seen`,
    );
  }
  return problems;
}

/** Asks a proxy for its metrics. */
export async function scrape(httpPort: number): Promise<Scrape> {
  const response = await fetch(`http://${HOST}:${httpPort}/metrics`);
  const text = await response.text();
  if (!response.ok) throw new Error(`/metrics: ${response.status} ${text}`);
  return parseScrape(text);
}

/**
 * Waits until clients have gone and nothing is pending, or until nothing moves
 * any more.
 */
export async function settledScrape(httpPort: number): Promise<Scrape> {
  let left = Infinity;
  let movedMs = performance.now();
  for (;;) {
    const now = await scrape(httpPort);
    const remaining = now.clients + total(now).pending;
    if (remaining === 0) return now;
    if (remaining < left) {
      left = remaining;
      movedMs = performance.now();
    } else if (performance.now() - movedMs > patienceMs) {
      patienceMs = LITTLE_PATIENCE_MS;
      return now;
    }
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}
