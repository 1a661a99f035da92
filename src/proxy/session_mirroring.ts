import { minRoundTripUs, monotonicUs } from "../io/mod.ts";
import { Excluded } from "../stats/ledger.ts";
import { Capture, type CapturePlan } from "./capture.ts";
import type { ProxyContext } from "./context.ts";
import type { Route, RouteMirror } from "./route.ts";
import type { Tap } from "./tap.ts";

/** The primary's round trip is asked for at the first request and every 256th. */
const ROUND_TRIP_MASK = 255;

/** Who a session is, as its startup packet says. */
export interface SessionIdentity {
  readonly user: string;
  /** Its startup parameters, `name\0value\0…`. */
  readonly parameters: string;
  readonly replication: boolean;
}

/**
 * What of one session is counted and mirrored, by the settings in force. A
 * reload reaches it between two transactions, so that each is counted and
 * captured by one configuration.
 */
export class SessionMirroring {
  readonly #context: ProxyContext;
  readonly #tap: Tap;
  readonly #route: Route;
  readonly #identity: SessionIdentity;
  #capture: Capture | undefined;
  /** Settings have changed since they were last looked at. */
  #stale = false;
  #requests = 0;

  /** Begins: login has succeeded. The route was chosen before it, perhaps by other settings. */
  constructor(
    context: ProxyContext,
    tap: Tap,
    route: Route,
    identity: SessionIdentity,
  ) {
    this.#context = context;
    this.#tap = tap;
    this.#route = route;
    this.#identity = identity;
    this.#attach(this.#mirrors, false);
  }

  /** Settings have changed: they hold from the next moment of rest on. */
  settingsChanged(): void {
    this.#stale = true;
    this.rested();
  }

  /** Called when the session has come to rest. */
  rested(): void {
    if (!this.#stale || !this.#tap.resting) return;
    this.#stale = false;
    this.#attach(this.#mirrors, true);
  }

  /**
   * A request has been answered on the primary's socket.
   *
   * @param fd -1 once it is closed.
   */
  requestEnded(fd: number): void {
    // A shorter round trip may come along; asking each time would cost a call.
    if ((this.#requests++ & ROUND_TRIP_MASK) !== 0 || fd < 0) return;
    if (this.#capture) this.#capture.roundTripUs = minRoundTripUs(fd);
  }

  /** The session is over. */
  close(): void {
    const capture = this.#capture;
    this.#capture = undefined;
    if (capture === undefined) return;
    let told = false;
    try {
      told = capture.close();
    } catch (error) {
      this.#context.onFault(
        "The mirror was not told of a session's end",
        error,
      );
    }
    if (!told) this.#context.closeLater(capture.stream);
  }

  /** Of the session's database, whoever serves it now; none if it is not there any more. */
  get #mirrors(): readonly RouteMirror[] {
    return this.#context.settings.routes.find(({ current, name }) =>
      current && name === this.#route.name
    )?.mirrors ?? [];
  }

  /** @param late the session has done things already that nobody has captured, if it has no capture. */
  #attach(mirrors: readonly RouteMirror[], late: boolean): void {
    const { settings } = this.#context;
    const { user, replication } = this.#identity;
    const plan: CapturePlan = {
      targets: mirrors.map(({ id }) => id),
      mode: settings.compare,
      compareBytes: settings.compareBytes,
    };
    if (mirrors.length === 0) this.close();
    else if (this.#capture !== undefined) this.#capture.change(plan);
    else if (!replication) this.#capture = this.#begin(plan, late);
    const target = {
      series: mirrors.map(({ name }) =>
        this.#context.series(this.#route.name, name, user)
      ),
      excluded: replication ? Excluded.replication : -1,
      maxTransactionBytes: settings.maxTransactionBytes,
    };
    if (late) this.#tap.change(target, this.#capture);
    else this.#tap.attach(target, this.#capture, monotonicUs());
  }

  #begin(plan: CapturePlan, late: boolean): Capture {
    const capture = new Capture(
      this.#context.ring,
      this.#context.pool,
      this.#context.nextStream(),
      this.#identity.parameters,
      plan,
    );
    if (late) capture.forget(true);
    return capture;
  }
}
