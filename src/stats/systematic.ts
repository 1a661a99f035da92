import { logEvidence } from "./evidence.ts";
import { MAX_STATEMENTS } from "./statements.ts";

/**
 * The share of a shape's calls that chance may differ in. On equal servers it
 * was up to 0.05 (single rows that eight clients write at once).
 */
export const CHANCE_SHARE = 0.1;
/** The share that mismatches may have by chance, which is what the verdict allows of all by default: on equal servers there were none in a million calls. */
export const MISMATCH_SHARE = 0.001;
/** A false alarm in a mirror's whole window has at most this probability. */
const FALSE_ALARM = 0.01;
/** Each shape has its part of the false alarms. */
const NEEDED = Math.log(MAX_STATEMENTS / FALSE_ALARM);

/**
 * Whether a shape differs in more calls than chance explains.
 *
 * The model: whatever happened before, a call differs by chance with a
 * probability of at most {@linkcode CHANCE_SHARE}. It may be asked after every
 * call; on a mirror of 10,000 shapes one false "yes" in a window has a
 * probability of at most 1 %. It needs 7 calls if all differ, and finds a share
 * of 0.5 within 60 calls, 0.2 within 700 and 0.15 within 2,600 in 95 of 100 cases
 * (`tests/stats/systematic_test.ts`).
 *
 * The limits: a share of up to {@linkcode CHANCE_SHARE} is never found here, a
 * wrong row behind it neither. Differences that come in bursts (one write that
 * many reads in a row meet) break the model if a burst exceeds the share.
 *
 * @param differed calls that differed, or of which nothing is known.
 * @param compared these and all others.
 * @param share that chance may have.
 */
export function isSystematic(
  differed: number,
  compared: number,
  share = CHANCE_SHARE,
): boolean {
  return logEvidence(differed, compared, share) >= NEEDED;
}
