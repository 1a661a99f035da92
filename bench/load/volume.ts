/**
 * Ten million statements of 64 clients, the mirror's processes stopped and
 * continued three times: whether every account closes to the digit, and whether
 * memory is flat once queues are at their bounds.
 *
 * ```sh
 * deno task bench:volume
 * deno task bench:volume --statements 1000000
 * ```
 *
 * needs Debian's `postgresql-15` (pgbench). It fails if an account does not
 * close or a bound does not hold; the slope is a figure.
 *
 * @module
 */

import { parseArgs } from "node:util";
import {
  assertBounded,
  assertExact,
  runVolume,
  type Sample,
  STATEMENTS,
  VOLUME_CLIENTS,
} from "../../tests/support/volume.ts";

const { values } = parseArgs({
  options: {
    statements: { type: "string", default: "10000000" },
    /** Transactions per second; 0: as many as go. */
    rate: { type: "string", default: "0" },
    "queue-bytes": { type: "string", default: `${64 * 1024 * 1024}` },
  },
});
const MAX_SLOPE = 1;
const EVERY_MS = 1_000;
const PROGRESS_EVERY = 10;
/** In one run of pgbench. */
const PORTION = 150_000;

const options = {
  statements: Number(values.statements),
  rounds: Math.ceil(Number(values.statements) / PORTION / 3),
  queue: 128,
  queueBytes: Number(values["queue-bytes"]),
  rate: Number(values.rate),
  sampleEveryMs: EVERY_MS,
  onProgress: progress,
};
let samples = 0;
const run = await runVolume(options);
const slope = mibPerMinute(run.samples);
console.log(JSON.stringify({ ...run, samples: run.samples.length }, null, 2));
console.table([{
  statements: run.transactions * STATEMENTS,
  clients: VOLUME_CLIENTS,
  seconds: Math.round(run.samples.at(-1)?.seconds ?? 0),
  "MiB at the end": mib(run.samples.at(-1)),
  "MiB at most": Math.max(...run.samples.map(mib)),
  "MiB per minute, second half": slope.toFixed(2),
  [`at most ${MAX_SLOPE}`]: slope <= MAX_SLOPE ? "met" : "missed",
}]);
console.log(`MiB at most in each tenth: ${peaks(run.samples).join(", ")}`);
assertExact(run);
assertBounded(run, options);

function progress(protocol: string, sample: Sample): void {
  if (samples++ % PROGRESS_EVERY !== 0) return;
  const { seen, replayed } = sample.ledger;
  console.error(
    `${
      Math.round(sample.seconds)
    } s, ${protocol}: ${seen} transactions, ${replayed} replayed, ${
      mib(sample)
    } MiB resident, ${sample.queueBytes} bytes queued`,
  );
}

/** Least squares over the second half of the time. */
function mibPerMinute(all: readonly Sample[]): number {
  const half = (all.at(-1)?.seconds ?? 0) / 2;
  const points = all.filter(({ seconds }) => seconds >= half)
    .map((one) => ({ x: one.seconds / 60, y: one.residentKib / 1024 }));
  const mean = (pick: (point: { x: number; y: number }) => number) =>
    points.reduce((sum, point) => sum + pick(point), 0) / points.length;
  const x = mean((point) => point.x);
  const y = mean((point) => point.y);
  return mean((point) => (point.x - x) * (point.y - y)) /
    mean((point) => (point.x - x) ** 2);
}

/** The highest of each tenth of the run: what it levels off at. */
function peaks(all: readonly Sample[]): number[] {
  const last = all.at(-1)?.seconds ?? 0;
  return Array.from({ length: 10 }, (_, tenth) =>
    Math.max(
      ...all.filter(({ seconds }) =>
        Math.min(9, Math.floor(seconds / last * 10)) === tenth
      ).map(mib),
    ));
}

function mib(sample: Sample | undefined): number {
  return Math.round((sample?.residentKib ?? 0) / 1024);
}
