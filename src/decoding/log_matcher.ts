import type { Catalog } from "../catalog/mod.ts";
import type { LoggedRelations, LoggedRows } from "../given/mod.ts";
import { type Agreement, agreement } from "./agreement.ts";
import {
  DecodedStore,
  sizeOf,
  type StoredTransaction,
} from "./decoded_store.ts";
import type { DecodedTransaction } from "./decoded_transaction.ts";
import { statementKey, type Trace, type WrittenRows } from "./trace.ts";
import { unlike } from "./likeness.ts";

/** A transaction waits for a look at the log that began so long after its record came in … */
const WAIT_US = 200_000;
/** … or, while a look does not end, until it has heard so often that it goes on: the clock alone would blame the log for a machine that is short of processors. */
const MAX_LOOKINGS = 20;
/** Of transactions that are alike nobody takes one before the records of all have come in. */
const SETTLE_US = 12_000;
/** Client transactions that wait for their place in the log; beyond them those that come are not found. */
const MAX_CLAIMS = 10_000;
/**
 * Rows of transactions that began up to here behind the log's end get numbers of
 * nobody. The mirror's own sequence may give a number that another row was given:
 * it has drawn one for each row so far, and those of transactions under way are
 * missing.
 */
const HAND_OVER_US = 60_000_000;
/** Bound of what was found for transactions that are not replayed yet, in characters of changes and what each transaction takes beside. */
const MAX_FOUND_SIZE = 16 * 1024 * 1024;

/** What one client transaction is told by the log. */
export interface LogClaim {
  /** Whether the log may still tell it. */
  readonly isWaiting: boolean;
  /** Called once, when it waits no more. */
  onSettled: (() => void) | undefined;
  /**
   * The rows that a statement wrote, in its order: as the log has them, or, if it
   * does not tell, with numbers that no other row has; undefined: nothing is to
   * stand in them.
   *
   * @param copied how many rows it had, if it is a COPY that the log has nothing of.
   */
  rows(
    cycle: number,
    result: number,
    copied?: () => number,
  ): LoggedRows | undefined;
  /** What triggers inserted into relations that no statement wrote. */
  readonly behind: LoggedRelations;
  /** Its client's transaction is replayed, or never will be. */
  release(): void;
}

/**
 * Makes rows for a statement.
 *
 * @param isKept they are on the primary; else it has rolled them back.
 * @param copied as of {@linkcode LogClaim.rows}.
 */
export type MakeRows = (
  cycle: number,
  result: number,
  isKept: boolean,
  copied?: () => number,
) => LoggedRows | undefined;

interface Claim {
  isWaiting: boolean;
  onSettled: (() => void) | undefined;
  readonly rows: LogClaim["rows"];
  readonly trace: Trace;
  readonly onMissed: (() => void) | undefined;
  readonly arrivedUs: number;
  /** How often it has heard that a look goes on. */
  lookings: number;
  /** What agrees with it so far, and up to where the store was looked at. */
  candidates: Candidate[];
  seen: number;
  found: Agreement | undefined;
  /** What of the bound it takes. */
  size: number;
  /** Nobody asks for its rows: it only takes what is its own. */
  isReleased: boolean;
  readonly behind: LoggedRelations;
  release(): void;
}

interface Candidate extends Agreement {
  readonly stored: StoredTransaction;
}

/**
 * Finds each client transaction in the primary's log: by when it committed, the
 * relations and numbers of rows that it wrote, and the values that are known of
 * them. One that only one agrees with is taken at once. Where several do, and
 * are alike but for what chance gave, the first in the order of commits is
 * taken: who was told nothing can't tell them apart. Where they are not alike
 * nothing is taken.
 */
export class LogMatcher {
  readonly #catalog: () => Catalog;
  readonly #store = new DecodedStore();
  #claims: Claim[] = [];
  #foundSize = 0;
  /** Claims whose transactions are not replayed yet. */
  #open = 0;
  /** The log is not read any more: who begins from a moment on is told nothing. */
  #over: {
    readonly fromUs: number;
    readonly onOver: () => void;
    /** One who began then has come in: nobody who comes behind it is told anything. */
    isReached: boolean;
  } | undefined;
  /** Those who began before are not in the log as a whole; Infinity: it is not read. */
  #sinceUs = Infinity;

  constructor(catalog: () => Catalog) {
    this.#catalog = catalog;
  }

  /** Whether the log is read. */
  get isReading(): boolean {
    return this.#sinceUs < Infinity;
  }

  /** Whether a transaction waits for the log. */
  get isWanted(): boolean {
    return this.#claims.length > 0;
  }

  /** The log is read from now on. */
  begin(nowUs: number): void {
    this.#sinceUs = nowUs;
    this.#over = undefined;
  }

  /** Whether one that began then is told rows. */
  tells(startUs: number): boolean {
    if (this.isReading) return true;
    return this.#over !== undefined && !this.#over.isReached &&
      startUs < this.#over.fromUs;
  }

  /** A transaction that began then comes in. */
  reached(startUs: number): void {
    if (this.#over === undefined || startUs < this.#over.fromUs) return;
    this.#over.isReached = true;
    this.#lookIfOver();
  }

  #lookIfOver(): void {
    if (!this.#over?.isReached || this.#open > 0) return;
    const { onOver } = this.#over;
    this.#over = undefined;
    onOver();
  }

  /**
   * It is not any more: nobody waits for it.
   *
   * @param onOver called when who was told is replayed, and nobody is any more,
   * unless it is read again by then.
   */
  end(nowUs: number, onOver: () => void): void {
    this.#sinceUs = Infinity;
    this.#store.clear();
    this.#over = { fromUs: nowUs + HAND_OVER_US, onOver, isReached: false };
    // One that goes on may be over at once.
    for (const claim of this.#claims.splice(0)) miss(claim);
  }

  add(transaction: DecodedTransaction, nowUs: number): void {
    this.#store.add(transaction, nowUs);
  }

  /**
   * A client transaction has come in.
   *
   * @param made rows for what was rolled back, or is not found.
   * @param onMissed called if the log does not tell it; undefined: it needs
   * nothing, and only takes what is its own.
   */
  claim(
    trace: Trace,
    nowUs: number,
    made: MakeRows,
    onMissed: (() => void) | undefined,
  ): LogClaim {
    const claim: Claim = {
      isWaiting: true,
      onSettled: undefined,
      rows: (cycle, result, copied) => {
        const isKept = !trace.undone.has(statementKey(cycle, result));
        return claim.found !== undefined && isKept
          ? rowsOf(claim.found, cycle, result)
          : made(cycle, result, isKept, copied);
      },
      get behind() {
        return claim.found?.behind ?? NOTHING;
      },
      release: () => {
        if (claim.isReleased) return;
        claim.isReleased = true;
        claim.found = undefined;
        this.#foundSize -= claim.size;
        claim.size = 0;
        this.#released();
      },
      size: 0,
      isReleased: onMissed === undefined,
      trace,
      onMissed,
      arrivedUs: nowUs,
      lookings: 0,
      candidates: [],
      seen: 0,
      found: undefined,
    };
    if (!claim.isReleased) this.#open++;
    const isIn = trace.startUs >= this.#sinceUs &&
      this.#claims.length < MAX_CLAIMS;
    if (isIn) this.#claims.push(claim);
    else miss(claim);
    return claim;
  }

  /** A client transaction has come in that is in no log. @param rows made ones. */
  untold(rows: LogClaim["rows"]): LogClaim {
    this.#open++;
    let isReleased = false;
    return {
      isWaiting: false,
      onSettled: undefined,
      rows,
      behind: NOTHING,
      release: () => {
        if (!isReleased) this.#released();
        isReleased = true;
      },
    };
  }

  #released(): void {
    this.#open--;
    this.#lookIfOver();
  }

  /** All that was committed for its client before `wholeUs` is here. */
  polled(wholeUs: number, nowUs: number): void {
    this.#resolve(wholeUs, nowUs);
    this.#store.age(nowUs);
  }

  #resolve(wholeUs: number, nowUs: number): void {
    if (this.#claims.length === 0) return;
    const catalog = this.#catalog();
    const whole = this.#claims.filter(({ trace }) => trace.endUs <= wholeUs);
    for (const claim of whole) this.#look(claim, catalog);
    // Who is taken by its only client is no candidate of others.
    for (let isProgress = true; isProgress;) {
      isProgress = false;
      for (const claim of whole) {
        if (!claim.isWaiting) continue;
        claim.candidates = claim.candidates.filter(({ stored }) =>
          this.#store.has(stored)
        );
        if (claim.candidates.length !== 1) continue;
        this.#take(claim);
        isProgress = true;
      }
    }
    const settled = whole
      .filter(({ isWaiting, trace, candidates }) =>
        isWaiting && candidates.length > 0 &&
        trace.endUs + SETTLE_US <= nowUs
      )
      .toSorted((a, b) => a.trace.endUs - b.trace.endUs);
    for (const claim of settled) this.#choose(claim, catalog);
    this.#expire(({ arrivedUs }) => arrivedUs <= wholeUs - WAIT_US);
  }

  /** A look at the log goes on. */
  looking(): void {
    this.#expire((claim) => ++claim.lookings >= MAX_LOOKINGS);
  }

  #expire(isOver: (claim: Claim) => boolean): void {
    for (const claim of this.#claims) {
      if (claim.isWaiting && isOver(claim)) miss(claim);
    }
    this.#claims = this.#claims.filter(({ isWaiting }) => isWaiting);
  }

  /** Looks for candidates among those that are new. */
  #look(claim: Claim, catalog: Catalog): void {
    const { trace, seen } = claim;
    const { earliestUs: fromUs, endUs: toUs } = trace;
    for (const stored of this.#store.between({ fromUs, toUs }, seen)) {
      const found = agreement(trace, stored.transaction, catalog);
      if (found !== undefined) claim.candidates.push({ stored, ...found });
    }
    claim.seen = this.#store.next;
  }

  /** Takes the first of several, if it does not matter which. */
  #choose(claim: Claim, catalog: Catalog): void {
    claim.candidates = claim.candidates.filter(({ stored }) =>
      this.#store.has(stored)
    );
    const [first, ...others] = claim.candidates;
    if (first === undefined) return;
    const unsure = new Set(
      others.flatMap(({ written }) => unlike(first.written, written, catalog)),
    );
    const isUnsure = [...unsure].some(({ shape }) =>
      shape.insertion !== undefined
    );
    if (isUnsure) return miss(claim);
    // Which of several wrote a row last is not known: what they wrote is left out.
    this.#take(claim, unsure);
  }

  #take(claim: Claim, leftOut: ReadonlySet<WrittenRows> = new Set()): void {
    const { stored, written, behind } = claim.candidates[0] as Candidate; // there is one
    this.#store.take(stored);
    if (claim.isReleased) return settle(claim);
    const size = sizeOf(stored.transaction);
    if (this.#foundSize + size > MAX_FOUND_SIZE) return miss(claim);
    this.#foundSize += size;
    claim.size = size;
    claim.found = {
      written: new Map([...written].filter(([one]) => !leftOut.has(one))),
      behind,
    };
    settle(claim);
  }
}

const NOTHING: LoggedRelations = new Map();

function rowsOf(
  found: Agreement,
  cycle: number,
  result: number,
): ReturnType<LogClaim["rows"]> {
  for (const [written, rows] of found.written) {
    if (written.cycle === cycle && written.result === result) return rows;
  }
  return undefined;
}

function miss(claim: Claim): void {
  claim.onMissed?.();
  settle(claim);
}

function settle(claim: Claim): void {
  claim.isWaiting = false;
  claim.candidates = [];
  const { onSettled } = claim;
  claim.onSettled = undefined;
  onSettled?.();
}
