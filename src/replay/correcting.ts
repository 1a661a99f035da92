import type { Correction, Lagging } from "../given/mod.ts";
import { cycleCount } from "../record/mod.ts";
import { concat, unpackSqlstate } from "../wire/mod.ts";
import { BEGIN_BLOCK, command, COMMIT_BLOCK, ROLLBACK_BLOCK } from "./aside.ts";
import type { QueuedTransaction } from "./lane_queue.ts";
import type { PlannedStatements } from "./plan.ts";
import type { Target } from "./target.ts";

/** Rights, syntax, and what the server has not: a COMMIT may fail by other things. */
const NOT_ALLOWED = /^(?:0A|42)/;

type Message = Uint8Array<ArrayBuffer>;

/** Where a replay stands. */
export interface Standing {
  /** Position of the next cycle. */
  readonly cycle: number;
  /** The mirror's last ReadyForQuery said idle … */
  readonly idle: boolean;
  /** … or that the block has failed. */
  readonly failed: boolean;
}

/**
 * Has the rows that triggers inserted on the mirror corrected in the transaction
 * that inserted them: before the client's COMMIT, or in a block that is put
 * around its only cycle. So nobody sees what they held before.
 */
export class Correcting {
  readonly #target: Pick<Target, "corrections" | "catalog" | "log">;
  /** The cycle before which rows are corrected. */
  #endsAt = 0;
  #startUs = 0;
  #corrections: readonly Correction[] = [];
  #lagging: readonly Lagging[] = [];
  #isWrapped = false;
  /** Something of it is under way. */
  #isSaid = false;

  constructor(target: Pick<Target, "corrections" | "catalog" | "log">) {
    this.#target = target;
  }

  /** A transaction is about to be sent: what the log tells of it is known. */
  begin({ transaction, logged }: QueuedTransaction, plan: PlannedStatements) {
    this.end();
    const { shapes, rollback } = plan;
    if (logged === undefined || rollback.by !== "client") return;
    const last = cycleCount(transaction) - 1;
    const isBlock = last > 0 &&
      shapes[last]?.length === 1 && shapes[last][0]?.kind === "transaction";
    const isPlain = last === 0 &&
      (shapes[0]?.every(({ kind }) => kind === "dml" || kind === "read") ??
        false);
    if (!isBlock && !isPlain) return;
    const { corrections, catalog } = this.#target;
    this.#startUs = transaction.startUs;
    this.#isWrapped = isPlain;
    this.#endsAt = isPlain ? 1 : last;
    this.#corrections = corrections.of(shapes.flat(), logged.behind, catalog);
  }

  /** Nothing of it is under way any more. */
  end(): void {
    this.#corrections = this.#lagging = [];
    this.#isSaid = false;
  }

  /** What is said before the next cycle, or behind the last one; undefined: nothing. */
  message(standing: Standing, nowUs: number): Message | undefined {
    const messages = this.#corrections.length === 0
      ? []
      : this.#messages(standing, nowUs);
    this.#isSaid = messages.length > 0;
    return this.#isSaid ? concat(messages) : undefined;
  }

  #messages({ cycle, idle, failed }: Standing, nowUs: number): Message[] {
    const { corrections } = this.#target;
    if (cycle === 0) {
      this.#lagging = corrections.lagging(this.#corrections, nowUs);
      const messages = this.#lagging.map(({ sql }) => command(sql));
      return this.#isWrapped ? [...messages, BEGIN_BLOCK] : messages;
    }
    if (cycle !== this.#endsAt || idle) return [];
    if (failed) return this.#isWrapped ? [ROLLBACK_BLOCK] : [];
    const lagUs = nowUs - this.#startUs;
    const messages = corrections.behind(this.#corrections, lagUs).map(command);
    return this.#isWrapped ? [...messages, COMMIT_BLOCK] : messages;
  }

  /** The mirror has answered a part of what was said. @param sqlstate packed; 0: no error. */
  answered(sqlstate: number): void {
    const { corrections, log } = this.#target;
    const isRefused = sqlstate !== 0 &&
      NOT_ALLOWED.test(unpackSqlstate(sqlstate));
    if (!this.#isSaid || !isRefused || corrections.isRefused) return;
    corrections.isRefused = true;
    log(
      "warn",
      "The mirror refuses to correct rows that triggers inserted: may its user use plpgsql?",
      {},
    );
  }

  /** It has answered all of it. */
  ready(nowUs: number): void {
    const { corrections } = this.#target;
    if (this.#isSaid && !corrections.isRefused) {
      corrections.ranAhead(this.#lagging, nowUs);
    }
    this.#isSaid = false;
    this.#lagging = [];
  }
}
