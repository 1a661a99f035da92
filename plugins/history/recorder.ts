import type { Logger } from "../../src/plugin/api.ts";
import type {
  Boundary,
  Earlier,
  HistoryStore,
  LedgerTotals,
  Run,
  Sample,
} from "./store.ts";

/** A store that stays away is named once in so many milliseconds. */
const WARN_MS = 60_000;
/** Boundaries that are shown. */
export const MAX_BOUNDARIES = 100;
/** How often old rows are looked for. */
const PRUNE_MS = 3_600_000;

/** What a recorder works with. */
export interface RecorderOptions {
  readonly store: HistoryStore;
  readonly run: Run;
  readonly intervalMs: number;
  readonly retentionMs: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly log: Logger;
  /** A sample could not be written. */
  readonly onLost?: () => void;
  /** The run has begun, behind these earlier ones. */
  readonly onEarlier?: (earlier: Earlier) => void;
}

/**
 * Writes samples to a store, one at a time, and never throws: what fails is
 * counted, and said once a minute. Until the store could be opened the run has
 * not begun; each write tries again.
 */
export class Recorder {
  writeErrors = 0;
  /** Of the last write, in milliseconds since the epoch; 0: none yet. */
  lastWriteAt = 0;
  /** Earlier runs with the same configuration. */
  earlier: Earlier = { observedMs: 0, ledgers: new Map(), statements: [] };
  /** Latest first, as they were when the run began. */
  boundaries: readonly Boundary[] = [];
  readonly #options: RecorderOptions;
  #run: Run;
  #opened = false;
  #begun = false;
  #busy: Promise<void> | undefined;
  #nextAt = 0;
  #warnedAt = -Infinity;
  #prunedAt = -Infinity;
  /** That was recorded last, in this run. */
  #verdict: string | undefined;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#run = options.run;
  }

  /** Milliseconds observed: by earlier runs, and by this one until its last write. */
  get observedMs(): number {
    const { startedAt } = this.#run;
    return this.earlier.observedMs + Math.max(0, this.lastWriteAt - startedAt);
  }

  /** Counts of earlier runs; `undefined` if there were none. */
  earlierTotals(mirror: string): LedgerTotals | undefined {
    return this.earlier.ledgers.get(mirror);
  }

  /** Writes a sample if it is time and the last write is done. */
  sample(make: () => Sample): void {
    const now = this.#options.now();
    if (this.#busy !== undefined || now < this.#nextAt) return;
    this.#nextAt = now + this.#options.intervalMs;
    const sample = make();
    this.#then(() => this.#write(sample));
  }

  /** Records a moment that begins no window of the evidence. RESET MIRROR_STATS begins one of SHOW. */
  mark(kind: "reset" | "pause" | "resume", note = ""): void {
    const { store, now } = this.#options;
    const boundary: Boundary = { at: now(), kind, note };
    this.#then(async () => {
      await this.#begin();
      await store.mark(boundary);
      this.boundaries = [boundary, ...this.boundaries].slice(0, MAX_BOUNDARIES);
    });
  }

  /**
   * Mirroring is configured otherwise from now on: the run ends with `last`, and
   * another one begins as it would at a start.
   */
  change(run: Run, last: Sample): void {
    const { store } = this.#options;
    this.#then(async () => {
      await this.#begin();
      await store.write(this.#run, last);
      await store.end(this.#run, {
        at: run.startedAt,
        kind: "stop",
        note: "mirroring was configured otherwise",
      });
    });
    this.#then(async () => {
      this.#run = run;
      this.#begun = false;
      // Of the window before, until the store has told.
      this.earlier = { observedMs: 0, ledgers: new Map(), statements: [] };
      await this.#begin();
    });
  }

  /** Resolves when no write is under way. */
  async settled(): Promise<void> {
    await this.#busy;
  }

  /** Opens the store and begins the run. */
  start(): Promise<void> {
    this.#busy = this.#guarded(() => this.#begin())
      .finally(() => this.#busy = undefined);
    return this.#busy;
  }

  /** Writes the last sample and says goodbye. */
  async close(last: Sample): Promise<void> {
    await this.#busy;
    await this.#guarded(() => this.#write(last));
    const { store, now } = this.#options;
    if (this.#begun) {
      await this.#guarded(() =>
        store.end(this.#run, { at: now(), kind: "stop", note: "" })
      );
    }
    await store.close().catch(() => {});
  }

  /** Does one thing after the other, behind a write that is under way. */
  #then(body: () => Promise<void>): void {
    const before = this.#busy;
    const mine = this.#guarded(async () => {
      await before;
      await body();
    }).finally(() => {
      if (this.#busy === mine) this.#busy = undefined;
    });
    this.#busy = mine;
  }

  async #write(sample: Sample): Promise<void> {
    const { store, now, retentionMs, onLost } = this.#options;
    try {
      await this.#begin();
      await store.write(this.#run, sample);
    } catch (error) {
      onLost?.();
      throw error;
    }
    this.lastWriteAt = sample.at;
    await this.#recordVerdict(sample);
    if (now() - this.#prunedAt > PRUNE_MS) {
      this.#prunedAt = now();
      await store.prune(now() - retentionMs);
    }
  }

  /** At most one for each write: a verdict that comes and goes in between is not told. */
  async #recordVerdict({ at, verdict }: Sample): Promise<void> {
    if (verdict === undefined || verdict === this.#verdict) return;
    const boundary: Boundary = {
      at,
      kind: "verdict",
      note: this.#verdict === undefined
        ? verdict
        : `${verdict}, before: ${this.#verdict}`,
    };
    await this.#options.store.mark(boundary);
    this.#verdict = verdict;
    this.boundaries = [boundary, ...this.boundaries].slice(0, MAX_BOUNDARIES);
  }

  async #begin(): Promise<void> {
    if (this.#begun) return;
    const { store, now, retentionMs } = this.#options;
    const run = this.#run;
    if (!this.#opened) {
      await store.open();
      this.#opened = true;
    }
    const last = await store.lastRun();
    const boundaries: Boundary[] = [];
    if (last !== undefined && !last.ended) {
      const seconds = Math.round((run.startedAt - last.lastWriteAt) / 1e3);
      boundaries.push({
        at: last.lastWriteAt,
        kind: "crash",
        note:
          `the process ended without a word; nothing was observed for ${seconds} s`,
      });
    }
    if (last !== undefined && last.config !== run.config) {
      boundaries.push({
        at: run.startedAt,
        kind: "config",
        note: "mirroring is configured otherwise: a new window begins",
      });
    }
    boundaries.push({ at: run.startedAt, kind: "start", note: run.version });
    this.earlier = await store.earlier(run.config, now() - retentionMs);
    this.#options.onEarlier?.(this.earlier);
    await store.begin(run, boundaries);
    this.#begun = true;
    this.boundaries = await store.boundaries(MAX_BOUNDARIES);
  }

  async #guarded(body: () => Promise<void>): Promise<void> {
    try {
      await body();
    } catch (error) {
      this.writeErrors++;
      const { now, log } = this.#options;
      if (now() - this.#warnedAt < WARN_MS) return;
      this.#warnedAt = now();
      log.warn("History could not be written", {
        error: String(error),
        errors: this.writeErrors,
      });
    }
  }
}
