/**
 * Upper bounds of duration buckets in seconds, from 0.25 ms to 60 s: the same
 * everywhere, so that instances and statements add up.
 */
export const DURATION_BUCKETS = [
  0.00025,
  0.0005,
  0.001,
  0.0025,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  30,
  60,
] as const;

/**
 * The same of lag, in seconds: beyond a minute it is trouble, beyond an hour it
 * does not matter how much.
 */
export const LAG_BUCKETS = [
  0.001,
  0.01,
  0.1,
  0.5,
  1,
  5,
  10,
  30,
  60,
  120,
  300,
  3600,
] as const;
