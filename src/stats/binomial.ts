/**
 * The binomial distribution, to 11 digits for up to a billion tries.
 *
 * Written here because libraries fall short of that: jstat 1.9.6 gives a tail of
 * -6.7 for half of 1e9 tries, @stdlib's betainc 0.2.3 is 4 % off there and is
 * 219 packages.
 *
 * @module
 */

/** The probability of at least `k` hits in `n` tries of probability `p`. */
export function binomialTail(k: number, n: number, p: number): number {
  return Math.exp(logBinomialTail(k, n, p));
}

/** The logarithm of {@linkcode binomialTail}, which does not underflow. */
export function logBinomialTail(k: number, n: number, p: number): number {
  check(n, p);
  if (k <= 0) return 0;
  if (k > n || p === 0) return -Infinity;
  if (p === 1) return 0;
  // The fraction converges fast from about the mean on.
  return k + 1 > (n + 3) * p
    ? logUpper(k, n, p, 1 - p)
    : Math.log1p(-Math.exp(logUpper(n - k + 1, n, 1 - p, p)));
}

/**
 * The logarithm of the probability of exactly `k` hits: Loader, Fast and
 * Accurate Computation of Binomial Probabilities (2000).
 */
export function logBinomialMass(k: number, n: number, p: number): number {
  check(n, p);
  return logMass(k, n, p, 1 - p);
}

/** Both probabilities are given: of a small one, 1 less the other keeps few digits. */
function logMass(k: number, n: number, p: number, q: number): number {
  if (k < 0 || k > n) return -Infinity;
  if (k === 0) return n === 0 ? 0 : n * logOf(q, p);
  if (k === n) return n * logOf(p, q);
  return stirlingError(n) - stirlingError(k) - stirlingError(n - k) -
    deviance(k, n * p) - deviance(n - k, n * q) +
    0.5 * Math.log(n / (2 * Math.PI * k * (n - k)));
}

function check(n: number, p: number): void {
  if (!(p >= 0 && p <= 1 && n >= 0)) {
    throw new RangeError(`No binomial distribution has n = ${n}, p = ${p}`);
  }
}

/** The tail above the mean: the continued fraction DLMF 8.17.22 by Lentz's method. */
function logUpper(k: number, n: number, p: number, q: number): number {
  const a = k;
  const b = n - k + 1;
  const term = (i: number) => {
    const m = i >> 1;
    return i % 2 === 0
      ? m * (b - m) * p / ((a + i - 1) * (a + i))
      : -(a + m) * (a + b + m) * p / ((a + i - 1) * (a + i));
  };
  let fraction = 1;
  let c = 1;
  let d = 0;
  // Near the mean it takes about the square root of `n` steps.
  const steps = 1_000 + 20 * Math.sqrt(n);
  for (let i = 1; i < steps; i++) {
    d = 1 / nonZero(1 + term(i) * d);
    c = nonZero(1 + term(i) / c);
    fraction *= c * d;
    if (Math.abs(c * d - 1) < 1e-16) break;
  }
  return logMass(k, n, p, q) + logOf(q, p) - Math.log(fraction);
}

/** ln p, where p + q = 1. */
function logOf(p: number, q: number): number {
  return p < 0.5 ? Math.log(p) : Math.log1p(-q);
}

function nonZero(value: number): number {
  return Math.abs(value) < 1e-300 ? 1e-300 : value;
}

/** ln n! less Stirling's formula. */
function stirlingError(n: number): number {
  if (n <= 15) {
    let factorial = 1;
    for (let i = 2; i <= n; i++) factorial *= i;
    return Math.log(factorial) - (n + 0.5) * Math.log(n) + n -
      0.5 * Math.log(2 * Math.PI);
  }
  const square = n * n;
  return (1 / 12 -
    (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / square) / square) / square) /
      square) / n;
}

/** x ln(x / mean) + mean - x, without cancellation where both are near. */
function deviance(x: number, mean: number): number {
  if (Math.abs(x - mean) >= 0.1 * (x + mean)) {
    return x * Math.log(x / mean) + mean - x;
  }
  const v = (x - mean) / (x + mean);
  let sum = (x - mean) * v;
  let power = 2 * x * v;
  for (let i = 3;; i += 2) {
    power *= v * v;
    const next = sum + power / i;
    if (next === sum) return sum;
    sum = next;
  }
}
