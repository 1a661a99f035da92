import type { Logger } from "../../src/plugin/api.ts";
import { Claim } from "./claim.ts";
import { HeldError } from "./held.ts";
import type {
  Boundary,
  Earlier,
  HistoryStore,
  LedgerTotals,
  Run,
  Sample,
  Span,
} from "./store.ts";

/** A store that stays away is named once in so many milliseconds. */
const WARN_MS = 60_000;
/** Boundaries that are shown. */
export const MAX_BOUNDARIES = 100;
/** How often old rows are looked for. */
const PRUNE_MS = 3_600_000;
/** Names of other proxies that are told. */
const MAX_NAMES = 10;
/** How often the store is looked at while another run has the proxy's place. */
const LOOK_MS = 1_000;

/** What a recorder works with. */
export interface RecorderOptions {
  readonly store: HistoryStore;
  readonly run: Run;
  readonly intervalMs: number;
  readonly retentionMs: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds by a clock that nobody sets: all spans of time are told by it. */
  readonly uptimeMs: () => number;
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
  /** Earlier runs of the window. */
  earlier: Earlier;
  /** Latest first, as they were when the run began. */
  boundaries: readonly Boundary[] = [];
  readonly #options: RecorderOptions;
  readonly #claim: Claim;
  #run: Run;
  /** By the uptime. */
  #runBeganMs: number;
  #observedMs = 0;
  #opened = false;
  #begun = false;
  /** Windows that have begun, and are not known to the store yet. */
  #changing = 0;
  /** Another run has the proxy's place. */
  #held = false;
  #closing = false;
  #busy: Promise<void> | undefined;
  #nextAt = 0;
  #warnedAt = -Infinity;
  #prunedAt = -Infinity;
  /** That was recorded last, in this run. */
  #verdict: string | undefined;

  constructor(options: RecorderOptions) {
    const { store, intervalMs, uptimeMs, run } = options;
    this.#options = options;
    this.#claim = new Claim(store, intervalMs, uptimeMs);
    this.#run = run;
    this.earlier = nothingBefore(run);
    this.#runBeganMs = uptimeMs();
  }

  /** Milliseconds observed: by earlier runs, and by this one until its last write. */
  get observedMs(): number {
    return this.earlier.observedMs + this.#observedMs;
  }

  /** Counts of earlier runs; `undefined` if there were none. */
  earlierTotals(mirror: string): LedgerTotals | undefined {
    return this.earlier.ledgers.get(mirror);
  }

  /** Writes a sample if it is time and the last write is done. */
  sample(make: () => Sample): void {
    const { uptimeMs, intervalMs } = this.#options;
    const now = uptimeMs();
    if (this.#busy !== undefined || now < this.#nextAt) return;
    this.#nextAt = now +
      (this.#held ? Math.min(LOOK_MS, intervalMs) : intervalMs);
    const [sample, span] = [make(), this.#span()];
    this.#then(() => this.#write(sample, span));
  }

  /** Records a moment that begins no window of the evidence. `reset` is RESET MIRROR_STATS, which begins one of SHOW. */
  mark(kind: "reset" | "pause" | "resume", note = ""): void {
    const { store, now } = this.#options;
    const boundary: Boundary = { at: now(), kind, note };
    this.#then(async () => {
      await this.#begin();
      await store.mark(this.#run, boundary);
      this.boundaries = [boundary, ...this.boundaries].slice(0, MAX_BOUNDARIES);
    });
  }

  /**
   * Another window begins: the run ends with `last`, and another one begins as it
   * would at a start. What earlier runs came to counts no longer from now on.
   */
  change(run: Run, last: Sample): void {
    const { store, uptimeMs } = this.#options;
    const [span, beganMs] = [this.#span(), uptimeMs()];
    this.#runBeganMs = beganMs;
    this.#changing++;
    this.#observedMs = 0;
    this.earlier = nothingBefore(run);
    this.#then(async () => {
      await this.#begin();
      await store.write(this.#run, last, span);
      await store.end(this.#run, {
        at: run.startedAt,
        kind: "stop",
        note: run.because === "reset"
          ? "the window was begun anew"
          : "mirroring was configured otherwise",
      });
    });
    this.#then(async () => {
      this.#changing--;
      this.#run = run;
      this.#begun = false;
      this.#observedMs = 0;
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
    this.#closing = true;
    const span = this.#span();
    await this.#guarded(() => this.#write(last, span));
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

  /** What the run has observed until now. */
  #span(): Span {
    // Up: observed time never falls by a restart.
    const observedMs = Math.ceil(
      this.#options.uptimeMs() - this.#runBeganMs,
    );
    return { observedMs, until: this.#run.startedAt + observedMs };
  }

  async #write(sample: Sample, span: Span): Promise<void> {
    const { store, now, uptimeMs, retentionMs, onLost } = this.#options;
    try {
      await this.#begin();
      await store.write(this.#run, sample, span);
    } catch (error) {
      if (error instanceof HeldError) this.#begun = false;
      onLost?.();
      throw error;
    }
    this.lastWriteAt = now();
    this.#observedMs = span.observedMs;
    await this.#recordVerdict(sample);
    if (uptimeMs() - this.#prunedAt > PRUNE_MS) {
      this.#prunedAt = uptimeMs();
      await store.prune(span.until - retentionMs);
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
    await this.#options.store.mark(this.#run, boundary);
    this.#verdict = verdict;
    this.boundaries = [boundary, ...this.boundaries].slice(0, MAX_BOUNDARIES);
  }

  async #begin(): Promise<void> {
    if (this.#begun) return;
    const { store, retentionMs } = this.#options;
    const run = this.#run;
    if (!this.#opened) {
      await store.open(run.proxy);
      this.#opened = true;
    }
    await this.#claim.take(run, this.#closing);
    this.#held = false;
    const last = await store.lastRun(run);
    if (last === undefined) await this.#nameOthers(run);
    const boundaries: Boundary[] = [];
    if (last !== undefined && !last.ended) {
      boundaries.push({
        at: last.lastWriteAt,
        kind: "crash",
        note: crashNote(run.startedAt - last.lastWriteAt),
      });
    }
    const isOther = last !== undefined && last.config !== run.config;
    if (isOther) {
      boundaries.push({
        at: run.startedAt,
        kind: "config",
        note: "mirroring is configured otherwise: a new window begins",
      });
    } else if (run.because === "reset") {
      boundaries.push({
        at: run.startedAt,
        kind: "window",
        note: "RESET MIRROR WINDOW: a new window begins",
      });
    }
    boundaries.push({ at: run.startedAt, kind: "start", note: run.version });
    const begun = isOther && run.because === "start"
      ? { ...run, because: "config" as const }
      : run;
    const earlier = await store.earlier(begun, run.startedAt - retentionMs);
    // Of a window that is over meanwhile nothing counts.
    if (this.#changing === 0) {
      this.earlier = earlier;
      this.#options.onEarlier?.(earlier);
    }
    await store.begin(begun, boundaries);
    this.#begun = true;
    this.boundaries = await store.boundaries(run.proxy, MAX_BOUNDARIES);
  }

  /** A proxy that has another name than before finds its evidence under that. */
  async #nameOthers({ proxy }: Run): Promise<void> {
    const others = await this.#options.store.otherProxies(proxy);
    if (others.length === 0) return;
    this.#options.log.info(
      "History has the evidence of other proxies, which is not added; to go on with one's, take its name: [plugins.history] proxy",
      { proxy, others: others.slice(0, MAX_NAMES) },
    );
  }

  async #guarded(body: () => Promise<void>): Promise<void> {
    try {
      await body();
    } catch (error) {
      const { uptimeMs, log } = this.#options;
      if (error instanceof HeldError) {
        const before = this.#held;
        this.#held = true;
        if (!error.live) {
          if (!before) log.info(error.message);
          return;
        }
      }
      this.writeErrors++;
      if (uptimeMs() - this.#warnedAt < WARN_MS) return;
      this.#warnedAt = uptimeMs();
      log.warn("History could not be written", {
        error: String(error),
        errors: this.writeErrors,
      });
    }
  }
}

function nothingBefore({ startedAt, because }: Run): Earlier {
  const began = { startedAt, because };
  return {
    began,
    observedMs: 0,
    ledgers: new Map(),
    hours: new Map(),
    statements: [],
  };
}

function crashNote(gapMs: number): string {
  const gap = gapMs < 0
    ? "a time that is not known, for the clock was set back"
    : `${Math.round(gapMs / 1e3)} s`;
  return `the process ended without a word; nothing was observed for ${gap}`;
}
