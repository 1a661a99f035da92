import { Login } from "../auth/mod.ts";
import {
  LOG_SETTINGS,
  type LogListener,
  LogMatcher,
  LogReader,
  Placeholders,
} from "../decoding/mod.ts";
import { monotonicUs, type Reactor } from "../io/mod.ts";
import { MirrorConnection, type MirrorServer } from "./connection.ts";
import { laneStartup } from "./lane_startup.ts";
import type { LogOfPrimary, ServerWay, Target } from "./target.ts";

/** What all readers of the worker share. */
export interface PrimaryLogOptions {
  readonly reactor: Reactor;
  readonly scratch: Uint8Array<ArrayBuffer>;
  readonly serverOf: (way: ServerWay) => MirrorServer;
}

/** A mirror, as far as the log matters to it. */
export type LogTarget = Pick<
  Target,
  "settings" | "removed" | "catalog" | "giving" | "log"
>;

/**
 * One mirror's view of its primary's log: a reader while the settings ask for
 * it, and what it has found.
 */
export class PrimaryLog implements LogListener, LogOfPrimary {
  readonly matcher: LogMatcher;
  readonly placeholders = new Placeholders(Math.random());
  readonly #target: LogTarget;
  readonly #options: PrimaryLogOptions;
  #reader: LogReader | undefined;
  /** Where the reader reads. */
  #key = "";

  constructor(target: LogTarget, options: PrimaryLogOptions) {
    this.#target = target;
    this.#options = options;
    this.matcher = new LogMatcher(() => target.catalog);
  }

  settingsChanged(): void {
    const { settings: { source, values }, removed, log } = this.#target;
    const isAsked = values === "log" && !removed;
    const key = !isAsked ? "" : JSON.stringify(
      source === undefined ? "no login" : [
        [...source.address.bytes],
        source.tls?.version,
        source.login,
      ],
    );
    if (key === this.#key) return;
    this.#key = key;
    this.close();
    if (!isAsked) return;
    if (source === undefined) {
      return log("warn", NOT_READ, {
        reason: "[[databases]] has no user for the source database",
      });
    }
    this.#reader = new LogReader({
      reactor: this.#options.reactor,
      nowUs: monotonicUs,
      slot: `pgdog_mirror_${crypto.randomUUID().replaceAll("-", "_")}`,
      listener: this,
      connect: (owner) => this.#connect(source, owner),
      onState: (isRead, reason) =>
        isRead
          ? log("info", "The primary's log is read", {})
          : log("warn", NOT_READ, { reason }),
    });
    this.#reader.start();
  }

  want(): void {
    this.#reader?.want();
  }

  /** The slot ends with the connection. */
  close(): void {
    this.#reader?.close();
    this.#reader = undefined;
  }

  get isWanted(): boolean {
    return this.matcher.isWanted;
  }

  begin(nowUs: number): void {
    this.matcher.begin(nowUs);
    // It may be read again before the end of the last was over: what was left for want of it is followed.
    this.#target.giving.hasLog = false;
    this.#target.giving.hasLog = true;
  }

  end(): void {
    this.matcher.end(monotonicUs(), () => {
      this.#target.giving.hasLog = false;
    });
  }

  add(...told: Parameters<LogListener["add"]>): void {
    this.matcher.add(...told);
  }

  polled(wholeUs: number, nowUs: number): void {
    this.matcher.polled(wholeUs, nowUs);
  }

  looking(): void {
    this.matcher.looking();
  }

  #connect(
    source: ServerWay,
    owner: ConstructorParameters<typeof MirrorConnection>[5],
  ): MirrorConnection {
    const { reactor, scratch, serverOf } = this.#options;
    return new MirrorConnection(
      reactor,
      serverOf(source),
      laneStartup(PARAMETERS, source.login),
      new Login(source.login),
      scratch,
      owner,
    );
  }
}

const NOT_READ =
  "The primary's log is not read: what no answer tells, the mirror makes by itself";

const PARAMETERS = Object.entries(LOG_SETTINGS)
  .map(([name, value]) => `${name}\0${value}\0`).join("");
