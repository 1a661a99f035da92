import { cpuUs, processCpuUs, residentKib, type Target } from "./support.ts";

const EVERY_MS = 100;

interface Sample {
  readonly atMs: number;
  /** Microseconds of CPU time since the process began. */
  readonly threads: number;
  readonly process: number;
}

/** Looks at a target's CPU time and memory while something runs against it. */
export class CpuWatch {
  /** The most that was resident, in KiB. */
  peakKib = 0;
  readonly #target: Target;
  readonly #samples: Sample[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;

  private constructor(target: Target) {
    this.#target = target;
    this.#sample();
    this.#timer = setInterval(() => this.#sample(), EVERY_MS);
  }

  static start(target: Target): CpuWatch {
    return new CpuWatch(target);
  }

  /** Takes the last sample; may be called twice. */
  stop(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#sample();
  }

  /**
   * CPU time of the last milliseconds before the stop, in microseconds, by
   * interpolation. With Infinity: of all the time.
   */
  last(milliseconds: number): { threads: number; process: number } {
    const end = this.#samples.at(-1);
    const first = this.#samples[0];
    if (end === undefined || first === undefined) {
      return { threads: 0, process: 0 };
    }
    const fromMs = Math.max(first.atMs, end.atMs - milliseconds);
    const before = this.#samples.findLast(({ atMs }) => atMs <= fromMs) ??
      first;
    const after = this.#samples.find(({ atMs }) => atMs > fromMs) ?? end;
    const span = after.atMs - before.atMs;
    const share = span === 0 ? 0 : (fromMs - before.atMs) / span;
    const since = (of: (sample: Sample) => number) =>
      of(end) - (of(before) + share * (of(after) - of(before)));
    return {
      threads: since(({ threads }) => threads),
      process: since(({ process }) => process),
    };
  }

  #sample(): void {
    const { pid } = this.#target;
    if (pid === undefined) return;
    try {
      this.#samples.push({
        atMs: performance.now(),
        threads: cpuUs(this.#target),
        process: processCpuUs(pid),
      });
      this.peakKib = Math.max(this.peakKib, residentKib(pid));
    } catch (error) {
      // It has ended, which whoever uses it finds out.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}
