import {
  COMPARE_MODES,
  type Comparison,
  FLAG_DISCARD,
  FLAG_END,
  OPEN_WORDS,
  type QueueBudget,
  type RingConsumer,
  Stream,
  type Transaction,
} from "../record/mod.ts";
import { StateWatch } from "../sql/mod.ts";
import { Dropped, Failed } from "../stats/ledger.ts";
import type { ProbeSet } from "../plugin/mod.ts";
import { Lane } from "./lane.ts";
import type { Target } from "./target.ts";

/** What an OPEN record says of a session. */
export interface Opening {
  /** Numbers of the mirrors. */
  readonly targets: readonly number[];
  readonly comparison: Comparison;
  /** The client's startup parameters, `name\0value\0…`. */
  readonly parameters: string;
}

/** Reads the OPEN whose payload begins at byte `at` of the ring. */
export function readOpening(ring: RingConsumer, at: number): Opening {
  const word = at >> 2;
  const count = ring.words[word + 2] as number;
  const length = ring.words[word + 3] as number;
  const from = at + 4 * (OPEN_WORDS + count);
  return {
    targets: [
      ...ring.words.slice(word + OPEN_WORDS, word + OPEN_WORDS + count),
    ],
    comparison: {
      mode: COMPARE_MODES[ring.words[word + 4] as number] ?? "off",
      bytes: ring.words[word + 5] as number,
    },
    parameters: new TextDecoder().decode(ring.bytes.slice(from, from + length)),
  };
}

/** What sessions share. */
export interface SessionOptions {
  readonly probes: ProbeSet;
  readonly budget: QueueBudget;
  target(id: number): Target | undefined;
  series(target: Target, user: string): number;
  onLane(lane: Lane): void;
  onLaneClosed(lane: Lane): void;
  onFault(error: unknown): void;
}

interface OpenLane {
  readonly lane: Lane;
  readonly series: number;
}

/** A session as the mirror worker knows it: its stream, and a lane for each mirror. */
export class MirroredSession {
  readonly stream: Stream;
  readonly #id: number;
  readonly #options: SessionOptions;
  #lanes = new Map<number, OpenLane>();

  constructor(id: number, opening: Opening, options: SessionOptions) {
    this.#id = id;
    this.#options = options;
    this.stream = new Stream(
      {
        onTransaction: (transaction) => this.#submit(transaction),
        onDiscarded: (t) => this.#each(({ lane }) => lane.missed(t)),
        onStateLost: () => this.#each(({ lane }) => lane.taint()),
        createLooker: () => new StateWatch(),
        onShed: () =>
          this.#each(({ series }) =>
            options.probes.requestDropped(series, Dropped.queueFull)
          ),
      },
      options.budget,
      opening.comparison,
    );
    this.open(opening);
  }

  /**
   * Says who mirrors the session, and what is compared, from its next
   * transaction on. A mirror that joins gets the state that another one's lane
   * knows of.
   */
  open({ targets, comparison, parameters }: Opening): void {
    this.stream.comparison = comparison;
    const before = [...this.#lanes.values()];
    const lanes = new Map<number, OpenLane>();
    for (const id of targets) {
      const open = this.#lanes.get(id) ??
        this.#create(id, parameters, before[0]?.lane);
      if (open !== undefined) lanes.set(id, open);
    }
    this.#lanes = lanes;
    for (const open of before) {
      if (![...lanes.values()].includes(open)) open.lane.leave();
    }
  }

  /** Our own code threw at a fragment with these flags: no request is left without an outcome. */
  broken(flags: number): void {
    this.stream.close();
    this.#each(({ lane, series }) => {
      lane.taint();
      if ((flags & FLAG_END) !== 0 && (flags & FLAG_DISCARD) === 0) {
        this.#options.probes.requestFailed(series, Failed.internal);
      }
    });
  }

  /** The client has gone. */
  leave(): void {
    this.#each(({ lane }) => lane.leave());
  }

  #create(
    id: number,
    parameters: string,
    sibling: Lane | undefined,
  ): OpenLane | undefined {
    const { target: find, onLane, onLaneClosed } = this.#options;
    const target = find(id);
    if (target === undefined) return undefined;
    const series = this.#options.series(target, userOf(parameters));
    const lane = new Lane(
      target,
      series,
      this.#id,
      parameters,
      onLaneClosed,
      sibling,
    );
    onLane(lane);
    return { lane, series };
  }

  #submit(transaction: Transaction): void {
    this.#each(({ lane, series }) => {
      try {
        lane.submit(transaction);
      } catch (error) {
        this.#options.onFault(error);
        lane.taint();
        this.#options.probes.requestFailed(series, Failed.internal);
      }
    });
  }

  #each(visit: (open: OpenLane) => void): void {
    for (const open of this.#lanes.values()) visit(open);
  }
}

function userOf(parameters: string): string {
  const texts = parameters.split("\0");
  for (let i = 0; i + 1 < texts.length; i += 2) {
    if (texts[i] === "user") return texts[i + 1] as string; // i + 1 < length
  }
  return "";
}
