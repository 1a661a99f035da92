import type { Probe, ProbeContext, ProbeFactory } from "./api.ts";

/** Counts the probes that have thrown; its label follows the order of the probe modules. */
export const PROBE_ERRORS = "plugin_probe_errors_total";

/** Told once when a probe has thrown; it is off from then on. */
export type ProbeFailed = (module: string, error: unknown) => void;

/** A probe and the module it came from. */
export interface LoadedProbe {
  readonly module: string;
  readonly probe: Probe;
}

type Listeners<H extends keyof Probe> = {
  readonly module: string;
  call: Required<Probe>[H];
}[];

function listeners<H extends keyof Probe>(
  probes: readonly LoadedProbe[],
  hook: H,
): Listeners<H> {
  return probes.flatMap(({ module, probe }) => {
    const method = probe[hook];
    if (method === undefined) return [];
    return [{ module, call: method.bind(probe) as Required<Probe>[H] }];
  });
}

/**
 * All probes of one worker, their hooks sorted into flat lists once: where
 * nobody listens, a call costs one look at an empty list. A probe that throws
 * is off from then on, in all its hooks.
 */
export class ProbeSet implements Required<Probe> {
  readonly #requestSeen: Listeners<"requestSeen">;
  readonly #requestExcluded: Listeners<"requestExcluded">;
  readonly #requestDropped: Listeners<"requestDropped">;
  readonly #requestFailed: Listeners<"requestFailed">;
  readonly #requestReplayed: Listeners<"requestReplayed">;
  readonly #primaryStatement: Listeners<"primaryStatement">;
  readonly #mirrorStatement: Listeners<"mirrorStatement">;
  readonly #errorOnMirror: Listeners<"errorOnMirror">;
  readonly #statementCompared: Listeners<"statementCompared">;
  readonly #orderBroken: Listeners<"orderBroken">;
  readonly #rowsGiven: Listeners<"rowsGiven">;
  readonly #rowsTaken: Listeners<"rowsTaken">;
  readonly #logMissed: Listeners<"logMissed">;
  readonly #queue: Listeners<"queue">;
  readonly #onFailed: ProbeFailed;

  constructor(probes: readonly LoadedProbe[], onFailed: ProbeFailed) {
    this.#onFailed = onFailed;
    this.#requestSeen = listeners(probes, "requestSeen");
    this.#requestExcluded = listeners(probes, "requestExcluded");
    this.#requestDropped = listeners(probes, "requestDropped");
    this.#requestFailed = listeners(probes, "requestFailed");
    this.#requestReplayed = listeners(probes, "requestReplayed");
    this.#primaryStatement = listeners(probes, "primaryStatement");
    this.#mirrorStatement = listeners(probes, "mirrorStatement");
    this.#errorOnMirror = listeners(probes, "errorOnMirror");
    this.#statementCompared = listeners(probes, "statementCompared");
    this.#orderBroken = listeners(probes, "orderBroken");
    this.#rowsGiven = listeners(probes, "rowsGiven");
    this.#rowsTaken = listeners(probes, "rowsTaken");
    this.#logMissed = listeners(probes, "logMissed");
    this.#queue = listeners(probes, "queue");
  }

  requestSeen(series: number): void {
    const list = this.#requestSeen;
    for (let i = 0; i < list.length; i++) {
      try {
        list[i]?.call(series);
      } catch (error) {
        this.#turnOff(list[i]?.module ?? "", error);
      }
    }
  }

  requestExcluded(series: number, reason: number): void {
    const list = this.#requestExcluded;
    for (let i = 0; i < list.length; i++) {
      try {
        list[i]?.call(series, reason);
      } catch (error) {
        this.#turnOff(list[i]?.module ?? "", error);
      }
    }
  }

  requestDropped(series: number, reason: number): void {
    const list = this.#requestDropped;
    for (let i = 0; i < list.length; i++) {
      try {
        list[i]?.call(series, reason);
      } catch (error) {
        this.#turnOff(list[i]?.module ?? "", error);
      }
    }
  }

  requestFailed(series: number, reason: number): void {
    const list = this.#requestFailed;
    for (let i = 0; i < list.length; i++) {
      try {
        list[i]?.call(series, reason);
      } catch (error) {
        this.#turnOff(list[i]?.module ?? "", error);
      }
    }
  }

  requestReplayed(
    series: number,
    latencySeconds: number,
    lagSeconds: number,
    errorsOnMirror: number,
    openErrors: number,
  ): void {
    const list = this.#requestReplayed;
    for (let i = 0; i < list.length; i++) {
      try {
        list[i]?.call(
          series,
          latencySeconds,
          lagSeconds,
          errorsOnMirror,
          openErrors,
        );
      } catch (error) {
        this.#turnOff(list[i]?.module ?? "", error);
      }
    }
  }

  primaryStatement(series: number, latencySeconds: number): void {
    const list = this.#primaryStatement;
    for (let i = 0; i < list.length; i++) {
      try {
        list[i]?.call(series, latencySeconds);
      } catch (error) {
        this.#turnOff(list[i]?.module ?? "", error);
      }
    }
  }

  mirrorStatement(series: number, latencySeconds: number): void {
    const list = this.#mirrorStatement;
    for (let i = 0; i < list.length; i++) {
      try {
        list[i]?.call(series, latencySeconds);
      } catch (error) {
        this.#turnOff(list[i]?.module ?? "", error);
      }
    }
  }

  errorOnMirror(series: number, sqlstate: string): void {
    const list = this.#errorOnMirror;
    for (let i = 0; i < list.length; i++) {
      try {
        list[i]?.call(series, sqlstate);
      } catch (error) {
        this.#turnOff(list[i]?.module ?? "", error);
      }
    }
  }

  statementCompared(
    series: number,
    result: number,
    primarySeconds: number,
  ): void {
    const list = this.#statementCompared;
    for (let i = 0; i < list.length; i++) {
      try {
        list[i]?.call(series, result, primarySeconds);
      } catch (error) {
        this.#turnOff(list[i]?.module ?? "", error);
      }
    }
  }

  orderBroken(series: number): void {
    const list = this.#orderBroken;
    for (let i = 0; i < list.length; i++) {
      try {
        list[i]?.call(series);
      } catch (error) {
        this.#turnOff(list[i]?.module ?? "", error);
      }
    }
  }

  rowsGiven(series: number, rows: number): void {
    const list = this.#rowsGiven;
    for (let i = 0; i < list.length; i++) {
      try {
        list[i]?.call(series, rows);
      } catch (error) {
        this.#turnOff(list[i]?.module ?? "", error);
      }
    }
  }

  rowsTaken(series: number, rows: number): void {
    const list = this.#rowsTaken;
    for (let i = 0; i < list.length; i++) {
      try {
        list[i]?.call(series, rows);
      } catch (error) {
        this.#turnOff(list[i]?.module ?? "", error);
      }
    }
  }

  logMissed(series: number): void {
    const list = this.#logMissed;
    for (let i = 0; i < list.length; i++) {
      try {
        list[i]?.call(series);
      } catch (error) {
        this.#turnOff(list[i]?.module ?? "", error);
      }
    }
  }

  queue(series: number, length: number, bytes: number): void {
    const list = this.#queue;
    for (let i = 0; i < list.length; i++) {
      try {
        list[i]?.call(series, length, bytes);
      } catch (error) {
        this.#turnOff(list[i]?.module ?? "", error);
      }
    }
  }

  #turnOff(module: string, error: unknown): void {
    for (
      const list of [
        this.#requestSeen,
        this.#requestExcluded,
        this.#requestDropped,
        this.#requestFailed,
        this.#requestReplayed,
        this.#primaryStatement,
        this.#mirrorStatement,
        this.#errorOnMirror,
        this.#statementCompared,
        this.#orderBroken,
        this.#rowsGiven,
        this.#rowsTaken,
        this.#logMissed,
        this.#queue,
      ] as { module: string; call: () => void }[][]
    ) {
      // The list stays as it is: somebody is on his way through it.
      for (const listener of list) {
        if (listener.module === module) listener.call = ignore;
      }
    }
    this.#onFailed(module, error);
  }
}

function ignore(): void {}

/**
 * Loads the probe modules of a worker, before its loop begins. A probe that
 * can't be made or throws later is counted, and `onFailed` hears of it.
 *
 * @param modules URLs; the default export is a {@linkcode ProbeFactory}.
 */
export async function loadProbes(
  modules: readonly string[],
  context: ProbeContext,
  onFailed: ProbeFailed,
): Promise<ProbeSet> {
  const probes: LoadedProbe[] = [];
  const failed: ProbeFailed = (module, error) => {
    const { cells, process } = context.stripe;
    const cell = process + context.stripe.offset(PROBE_ERRORS) +
      modules.indexOf(module);
    (cells[cell] as number)++;
    onFailed(module, error);
  };
  for (const module of modules) {
    try {
      const { default: factory } = await import(module) as {
        default: ProbeFactory;
      };
      probes.push({ module, probe: factory(context) });
    } catch (error) {
      failed(module, error);
    }
  }
  return new ProbeSet(probes, failed);
}
