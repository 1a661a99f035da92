import {
  Dropped,
  type HistogramHandle,
  isAside,
  isCompared,
  type MaximumHandle,
  type Probe,
  type ProbeContext,
  type Stripe,
} from "../../src/plugin/api.ts";
import { LAST_ERROR_CATEGORIES, Target } from "./metrics.ts";

/** What comes from the mirror may be anything. */
const SQLSTATE = /^[0-9A-Z]{5}$/;

/** Counts the ledger in one worker. */
class LedgerProbe implements Required<Probe> {
  readonly #stripe: Stripe;
  readonly #cells: Float64Array;
  readonly #seen: number;
  readonly #excluded: number;
  readonly #dropped: number;
  readonly #failed: number;
  readonly #mirrored: number;
  readonly #statements: number;
  readonly #comparedSeconds: number;
  readonly #replayedSeconds: number;
  readonly #consecutive: number;
  readonly #lastSuccess: number;
  readonly #lastError: number;
  readonly #lastCategory: number;
  readonly #lastSqlstate: number;
  readonly #orderBreaks: number;
  readonly #givenRows: number;
  readonly #takenRows: number;
  readonly #logMissed: number;
  readonly #queueLength: number;
  readonly #queueBytes: number;
  readonly #lag: number;
  readonly #replaysWithErrors: number;
  readonly #acceptedErrors: number;
  readonly #isProxy: boolean;
  readonly #replayLag: HistogramHandle;
  readonly #primary: HistogramHandle;
  readonly #mirror: HistogramHandle;
  readonly #primaryMaximum: MaximumHandle;
  readonly #mirrorMaximum: MaximumHandle;

  constructor({ stripe, role }: ProbeContext) {
    this.#stripe = stripe;
    this.#isProxy = role === "proxy";
    this.#cells = stripe.cells;
    this.#seen = stripe.offset("mirror_requests_total");
    this.#excluded = stripe.offset("mirror_requests_excluded_total");
    this.#dropped = stripe.offset("mirror_requests_dropped_total");
    this.#failed = stripe.offset("mirror_requests_failed_total");
    this.#mirrored = stripe.offset("mirror_requests_mirrored_total");
    this.#statements = stripe.offset("mirror_statements_total");
    this.#comparedSeconds = stripe.offset("mirror_compared_seconds_total");
    this.#replayedSeconds = stripe.offset("mirror_replayed_seconds_total");
    this.#replayLag = stripe.histogram("mirror_replay_lag_seconds");
    this.#consecutive = stripe.offset("mirror_consecutive_errors");
    this.#lastSuccess = stripe.offset("mirror_last_success_timestamp_seconds");
    this.#lastError = stripe.offset("mirror_last_error_timestamp_seconds");
    this.#lastCategory = stripe.offset("mirror_last_error_category");
    this.#lastSqlstate = stripe.offset("mirror_last_error_sqlstate");
    this.#orderBreaks = stripe.offset("mirror_order_breaks_total");
    this.#givenRows = stripe.offset("mirror_given_rows_total");
    this.#takenRows = stripe.offset("mirror_taken_rows_total");
    this.#logMissed = stripe.offset("mirror_log_missed_total");
    this.#queueLength = stripe.offset("mirror_queue_length");
    this.#queueBytes = stripe.offset("mirror_queue_bytes");
    this.#lag = stripe.offset("mirror_lag_seconds");
    this.#replaysWithErrors = stripe.offset(
      "mirror_replays_with_errors_total",
    );
    this.#acceptedErrors = stripe.offset(
      "mirror_replays_with_accepted_errors_total",
    );
    const duration = "statement_duration_seconds";
    this.#primary = stripe.histogram(duration, Target.primary);
    this.#mirror = stripe.histogram(duration, Target.mirror);
    const maximum = "statement_duration_max_seconds";
    this.#primaryMaximum = stripe.maximum(maximum, Target.primary);
    this.#mirrorMaximum = stripe.maximum(maximum, Target.mirror);
  }

  requestSeen(series: number): void {
    this.#add(series + this.#seen, 1);
  }

  requestExcluded(series: number, reason: number): void {
    this.#afterSeen();
    this.#add(series + this.#excluded + reason, 1);
  }

  requestDropped(series: number, reason: number): void {
    this.#afterSeen();
    this.#add(series + this.#dropped + reason, 1);
    // A mirror that is down or hangs fails few requests: the rest never begin.
    if (this.#isProxy) return;
    if (reason === Dropped.mirrorDown || reason === Dropped.queueFull) {
      this.#add(series + this.#consecutive, 1);
    }
  }

  requestFailed(series: number, reason: number): void {
    this.#add(series + this.#failed + reason, 1);
    this.#add(series + this.#consecutive, 1);
    // The first four categories are FAILED, behind "none".
    this.#noteError(series, reason + 1, 0);
  }

  requestReplayed(
    series: number,
    _latencySeconds: number,
    lagSeconds: number,
    errorsOnMirror: number,
    openErrors: number,
  ): void {
    this.#add(series + this.#mirrored, 1);
    this.#cells[series + this.#lag] = lagSeconds;
    this.#replayLag.observe(series, lagSeconds);
    if (errorsOnMirror > 0) this.#add(series + this.#replaysWithErrors, 1);
    if (openErrors > 0) {
      this.#add(series + this.#consecutive, 1);
      return;
    }
    if (errorsOnMirror > 0) this.#add(series + this.#acceptedErrors, 1);
    this.#cells[series + this.#consecutive] = 0;
    this.#cells[series + this.#lastSuccess] = Date.now() / 1e3;
  }

  primaryStatement(series: number, latencySeconds: number): void {
    this.#primary.observe(series, latencySeconds);
    this.#primaryMaximum.observe(series, latencySeconds);
  }

  mirrorStatement(series: number, latencySeconds: number): void {
    this.#mirror.observe(series, latencySeconds);
    this.#mirrorMaximum.observe(series, latencySeconds);
  }

  errorOnMirror(series: number, sqlstate: string): void {
    this.#noteError(
      series,
      LAST_ERROR_CATEGORIES.indexOf("query"),
      SQLSTATE.test(sqlstate) ? parseInt(sqlstate, 36) + 1 : 0,
    );
  }

  statementCompared(
    series: number,
    result: number,
    primarySeconds: number,
  ): void {
    this.#add(series + this.#statements + result, 1);
    if (isAside(result)) return;
    this.#add(series + this.#replayedSeconds, primarySeconds);
    if (isCompared(result)) {
      this.#add(series + this.#comparedSeconds, primarySeconds);
    }
  }

  orderBroken(series: number): void {
    this.#add(series + this.#orderBreaks, 1);
  }

  rowsGiven(series: number, rows: number): void {
    this.#add(series + this.#givenRows, rows);
  }

  rowsTaken(series: number, rows: number): void {
    this.#add(series + this.#takenRows, rows);
  }

  logMissed(series: number): void {
    this.#add(series + this.#logMissed, 1);
  }

  queue(series: number, length: number, bytes: number): void {
    this.#cells[series + this.#queueLength] = length;
    this.#cells[this.#stripe.process + this.#queueBytes] = bytes;
  }

  #add(cell: number, count: number): void {
    (this.#cells[cell] as number) += count;
  }

  #noteError(series: number, category: number, sqlstate: number): void {
    this.#cells[series + this.#lastError] = Date.now() / 1e3;
    this.#cells[series + this.#lastCategory] = category;
    this.#cells[series + this.#lastSqlstate] = sqlstate;
  }

  /** A proxy worker counts some outcomes itself; to the mirror worker's the ring is the barrier. */
  #afterSeen(): void {
    if (this.#isProxy) this.#stripe.fence();
  }
}

/** Makes the probe of one worker. */
export default function createProbe(context: ProbeContext): Probe {
  return new LedgerProbe(context);
}
