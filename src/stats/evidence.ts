import { logBinomialMass, logBinomialTail } from "./binomial.ts";

/**
 * Evidence that a share is above a limit, which may be looked at after every
 * try and as often as one likes.
 *
 * It is the likelihood ratio of "some share above the limit" (uniform, Robbins'
 * mixture, 1970) to the limit itself. If no try hits with more than the limit's
 * probability, given all tries before it, the ratio is a supermartingale: that it
 * ever reaches `1 / alpha` has a probability of at most `alpha` (Ville, 1939).
 * So looks cost nothing, and counts alone are its state: those of workers,
 * restarts and proxies are added.
 *
 * @param hits of `tries`.
 * @param limit the share above which it tests, below 1.
 * @returns its logarithm; -Infinity while the share is not above the limit.
 */
export function logEvidence(
  hits: number,
  tries: number,
  limit: number,
): number {
  if (hits <= tries * limit || hits === 0) return -Infinity;
  // The mixture over all shares is 1 / (n + 1) for each count of hits; the last
  // two terms leave out the shares below the limit.
  return -Math.log(tries + 1) - logBinomialMass(hits, tries, limit) +
    logBinomialTail(tries - hits + 1, tries + 1, 1 - limit) -
    Math.log1p(-limit);
}
