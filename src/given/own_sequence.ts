import { numbersAhead, type OwedDraws } from "./own_numbers.ts";

/** What a default gave when it was evaluated on the mirror. */
export interface Asked {
  readonly atUs: number;
  /** Undefined: not answered yet. Null: it can't be told. */
  own: string | null | undefined;
  /** Of a sequence: nothing that was sent with the question's INSERT draws before it does. */
  readonly isExact: boolean;
  /** No INSERT has come behind it yet. */
  isFresh: boolean;
}

/** What an INSERT was told. */
export interface ToldNumber {
  readonly number: string;
  /** By ON CONFLICT DO UPDATE: it may be an older row's. */
  readonly isUpsert: boolean;
  /** The INSERT's transaction began then, in microseconds of the monotonic clock. */
  readonly made: { readonly startUs: number };
  /** Whether there is no other client whose lower numbers may still come. */
  readonly isAlone: () => boolean;
}

/** Whose INSERTs the mirror did not get. */
export interface LeftOut {
  /** The client's number. */
  readonly session: number;
  /** The transaction was over then, in microseconds of the monotonic clock. */
  readonly endUs: number;
}

/** Numbers that one question draws: about 50 ms. */
const MAX_DRAWS = 100_000;
/** Sessions that are remembered, for each sequence. */
const MAX_SESSIONS = 1_000;
/** A sequence may be set, or count otherwise: it is asked again. */
const ASK_AGAIN_US = 60_000_000;
/** A sequence that is behind may be mended. */
const ASK_BEHIND_US = 1_000_000;
/** So long a transaction may run whose numbers come in behind higher ones. */
const PATIENCE_US = 60_000_000;

/**
 * Whether a mirror's sequence gives numbers that the primary's has not given
 * yet. The number that it would give next is
 *
 * - in step if the INSERT that comes next was told no higher one;
 * - behind if it was told a higher one while no other client may have a lower one, or if a
 *   number that was told a minute ago is as high: INSERTs fail by that after the
 *   move.
 *
 * Otherwise transactions with lower numbers may be under way.
 */
export class OwnSequence {
  /** The last question; undefined: it was not asked yet. */
  asked: Asked | undefined;
  #state: "unknown" | "in step" | "behind" = "unknown";
  /** The highest numbers that were told: more than a minute ago, before, and in the minute that began at #sinceUs. */
  #settled: string | undefined;
  #older: string | undefined;
  #young: string | undefined;
  #sinceUs = 0;
  /** Drawn on the primary by INSERTs that the mirror did not get. */
  #owed = 0;
  /** The last of them was over then. */
  #owedUs = 0;
  #newSessions = 0;
  readonly #sessions = new Set<number>();

  /** INSERTs that the mirror did not get have drawn so many numbers: it draws them, too, or it would seem to be behind. */
  missed(draws: number, { session, endUs }: LeftOut): void {
    this.#owed += draws;
    this.#owedUs = Math.max(this.#owedUs, endUs);
    if (this.#sessions.has(session)) return;
    if (this.#sessions.size >= MAX_SESSIONS) this.#sessions.clear();
    this.#sessions.add(session);
    this.#newSessions++;
  }

  /** What the mirror is to draw now; undefined: nothing. */
  takeOwed(): OwedDraws | undefined {
    if (this.#owed === 0) return undefined;
    const draws = Math.min(this.#owed, MAX_DRAWS);
    const sessions = this.#newSessions;
    this.#owed -= draws;
    this.#newSessions = 0;
    return { draws, sessions };
  }

  /** The mirror has not drawn them: its connection was lost. */
  giveBack({ draws, sessions }: OwedDraws): void {
    this.#owed += draws;
    this.#newSessions += sessions;
  }

  /** Whether the mirror is to be asked before the next INSERT. */
  isDue(nowUs: number): boolean {
    if (this.asked === undefined || this.#owed > 0) return true;
    const { own, atUs } = this.asked;
    const againUs = typeof own !== "string" || this.#state === "in step"
      ? ASK_AGAIN_US
      : this.#state === "behind"
      ? ASK_BEHIND_US
      : 0;
    return nowUs - atUs >= againUs;
  }

  /** An INSERT was told a number. @returns why it is not given. */
  told(
    told: ToldNumber,
    nowUs: number,
  ): "behind" | "not comparable" | undefined {
    this.#remember(told.number, nowUs);
    const { asked } = this;
    if (asked?.own === null) return "not comparable";
    if (asked?.own !== undefined && asked.isFresh) {
      asked.isFresh = false;
      const ahead = numbersAhead(told.number, asked.own);
      if (ahead === undefined) asked.own = null;
      else this.#judge(ahead, asked.own, asked.isExact, told);
    }
    if (asked?.own === null) return "not comparable";
    return this.#state === "behind" ? "behind" : undefined;
  }

  #judge(
    ahead: number,
    own: string,
    isExact: boolean,
    { isUpsert, made, isAlone }: ToldNumber,
  ): void {
    // Not all that it is to draw was drawn.
    if (this.#owed > 0) return;
    const isTaken = this.#settled !== undefined &&
      (numbersAhead(this.#settled, own) ?? -1) >= 0;
    if (isTaken) this.#state = "behind";
    else if (ahead <= 0) {
      // By what was left out behind the INSERT the mirror may be ahead.
      const isKnown = !isUpsert && this.#owedUs <= made.startUs;
      if (isKnown) this.#state = "in step";
    } else if (isExact && isAlone()) this.#state = "behind";
  }

  #remember(number: string, nowUs: number): void {
    if (this.#young === undefined || nowUs - this.#sinceUs > PATIENCE_US) {
      this.#settled = higher(this.#settled, this.#older);
      this.#older = this.#young;
      this.#young = undefined;
      this.#sinceUs = nowUs;
    }
    this.#young = higher(this.#young, number);
  }
}

function higher(a: string | undefined, b: string | undefined) {
  if (a === undefined || b === undefined) return a ?? b;
  return (numbersAhead(b, a) ?? 0) > 0 ? b : a;
}
