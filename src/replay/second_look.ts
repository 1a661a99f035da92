import {
  FLAG_CUT,
  KIND_ERROR,
  KIND_MASK,
  STATEMENT_KIND,
  STATEMENT_ROWS,
} from "../record/mod.ts";
import { haveEqualRows, type Reply, type Undecided } from "../judge/mod.ts";
import type { Shape } from "../sql/shape.ts";
import { concat } from "../wire/mod.ts";
import { boundCommand } from "./aside.ts";
import { atMoment } from "./moment_text.ts";
import type { PlannedStatements } from "./plan.ts";

/** How far clocks of the two servers may be apart, in microseconds; the judge's masks of times allow as much. */
const CLOCKS_US = 60e6;
/** A look takes three times as long as the statement, and must not end the lane by a time-out. */
const TIMEOUT_SHARE = 10;
/** Where looks explain nothing a lane takes one part of so many of its time for them. */
const LOOKS_SHARE = 10;

/** Whether a transaction can be asked again behind its end: it has changed nothing, neither rows nor what its session is. */
function isRepeatable(shapes: PlannedStatements["shapes"]): boolean {
  return shapes.flat().every(({ kind, calls }) =>
    kind === "transaction" ||
    kind === "read" && !calls.includes("set_config")
  );
}

/**
 * Asks the mirror once more what it has answered otherwise than the primary, as
 * if it were other moments: the primary's, and a minute around both servers'. If
 * all answers are the same the moment has not made the difference; if one is the
 * primary's, it has.
 */
export class SecondLook {
  readonly beganUs: number;
  readonly #asked: readonly Undecided[];
  #answers = 0;
  /** Of the pair under way. */
  #isUnchanged = true;
  #isExplained = false;

  private constructor(asked: readonly Undecided[], nowUs: number) {
    this.#asked = asked;
    this.beganUs = nowUs;
  }

  /**
   * @param undecided of a transaction that began on the primary at `startUs`.
   * @param timeoutMs of the mirror's answers.
   * @returns with what the mirror is to get; undefined: it is not asked.
   */
  static of(
    undecided: readonly Undecided[],
    { shapes }: Pick<PlannedStatements, "shapes">,
    { startUs, timeoutMs, nowUs, pace }: {
      readonly startUs: number;
      readonly timeoutMs: number;
      readonly nowUs: number;
      readonly pace: LookPace;
    },
  ): { look: SecondLook; message: Uint8Array<ArrayBuffer> } | undefined {
    if (undecided.length === 0 || !isRepeatable(shapes)) return undefined;
    const longestUs = timeoutMs * 1e3 / TIMEOUT_SHARE;
    const lagUs = Math.max(0, nowUs - startUs);
    const moments = [-lagUs - CLOCKS_US, -lagUs, CLOCKS_US];
    const parts: Uint8Array<ArrayBuffer>[] = [];
    const asked = undecided.filter((one) => {
      if (one.mirrorUs > longestUs) return false;
      if (pace.isPaused(one, nowUs)) {
        one.outcome = "unasked";
        return false;
      }
      const { text, types, bind } = one.sent;
      const texts = moments.flatMap((us) => atMoment(text, us) ?? []);
      if (texts.length < moments.length) return false;
      for (const written of texts) {
        parts.push(boundCommand(written, types, bind));
      }
      return true;
    });
    return asked.length === 0
      ? undefined
      : { look: new SecondLook(asked, nowUs), message: concat(parts) };
  }

  /** The mirror has answered one of the statements. */
  answered(reply: Reply | undefined): void {
    const asked = this.#asked[Math.floor(this.#answers++ / 3)];
    if (asked === undefined) return;
    const { mirror, primary } = asked;
    this.#isUnchanged &&= reply !== undefined && areSame(reply, mirror);
    this.#isExplained ||= reply !== undefined && areSame(reply, primary);
    if (this.#answers % 3 > 0) return;
    asked.outcome = this.#isUnchanged
      ? "unchanged"
      : this.#isExplained
      ? "explained"
      : "unknown";
    this.#isUnchanged = true;
    this.#isExplained = false;
  }

  /** Those of which the mirror answers the same at all moments. */
  get unchanged(): readonly Undecided[] {
    return this.#asked.filter(({ outcome }) => outcome === "unchanged");
  }
}

function areSame(a: Reply, b: Reply): boolean {
  const word = ({ words, at }: Reply, offset: number) =>
    words[at + offset] as number;
  const isSeen = [a, b].every((reply) => {
    const kind = word(reply, STATEMENT_KIND);
    return (kind & KIND_MASK) !== KIND_ERROR && (kind & FLAG_CUT) === 0;
  });
  return isSeen && word(a, STATEMENT_ROWS) === word(b, STATEMENT_ROWS) &&
    haveEqualRows(a.answer, b.answer);
}

/** Says how often a lane may look again at a statement that differs whatever the moment is: in a part of its time. */
export class LookPace {
  readonly #nextUs = new WeakMap<Shape, number>();

  isPaused({ shape }: Undecided, nowUs: number): boolean {
    return nowUs < (this.#nextUs.get(shape) ?? 0);
  }

  looked({ beganUs, unchanged }: SecondLook, nowUs: number): void {
    for (const { shape } of unchanged) {
      this.#nextUs.set(shape, nowUs + LOOKS_SHARE * (nowUs - beganUs));
    }
  }
}
