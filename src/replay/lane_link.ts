import { isDeepStrictEqual } from "node:util";
import { Login } from "../auth/mod.ts";
import { monotonicUs } from "../io/mod.ts";
import type { Permission } from "./breaker.ts";
import {
  type ConnectionFailure,
  type ConnectionOwner,
  MirrorConnection,
} from "./connection.ts";
import { LaneRow } from "./lane_row.ts";
import type { ConnectionHolder } from "./mirror_connections.ts";
import { laneStartup } from "./lane_startup.ts";
import type { BreakerWaiter, Target, TargetSettings } from "./target.ts";

/** Login errors of a whole mirror by SQLSTATE class; others are the session's own (its parameters, its limits). */
const MIRROR_WIDE = /^(?:08|28|3D|53|57|58|XX)/;

/** A link's user: it hears of each connection, of the breaker, and of room for another one. */
export interface LinkOwner
  extends ConnectionOwner, ConnectionHolder, BreakerWaiter {}

/**
 * ```
 * resting     no connection; made at the next need
 * waiting     the breaker has another lane try first, or there is no room
 * connecting  TCP and login
 * open        logged in
 * ```
 */
export type LinkState = "resting" | "waiting" | "connecting" | "open";

/**
 * A lane's way to its mirror: one connection at a time, made when the breaker
 * lets it, and the lane's row in SHOW SERVERS. It knows nothing of what is sent.
 *
 * ```
 * resting ──ask──> waiting
 *    │  ^─breaker─────┘
 *    └─ask, connect──> connecting ──loggedIn──> open
 *    ^──────lost, rest, close──────┴────────────┘
 * ```
 */
export class LaneLink {
  readonly #target: Target;
  readonly #parameters: string;
  readonly #owner: LinkOwner;
  readonly #row: LaneRow;
  #state: LinkState = "resting";
  #connection: MirrorConnection | undefined;
  /** Where the connection leads, and whether by TLS. */
  #way: Pick<TargetSettings, "address" | "tls"> | undefined;
  /** Settings that it is known to be the way of. */
  #wayOf: TargetSettings | undefined;
  #refused = false;

  /** @param parameters the client's startup parameters, `name\0value\0…`. */
  constructor(target: Target, parameters: string, owner: LinkOwner) {
    this.#target = target;
    this.#parameters = parameters;
    this.#owner = owner;
    this.#row = new LaneRow(target);
  }

  get state(): LinkState {
    return this.#state;
  }

  /** There is a connection, logged in or not. */
  get isConnected(): boolean {
    return this.#connection !== undefined;
  }

  /** There is none, and the breaker lets nobody try. */
  get isDown(): boolean {
    return this.#connection === undefined &&
      this.#target.breaker.state(monotonicUs()) === "open";
  }

  /** The mirror refuses the session's login: it will not take the next one either. */
  get isRefused(): boolean {
    return this.#refused;
  }

  /** The mirror has moved since the connection was made, or is asked for TLS in another way. */
  get isElsewhere(): boolean {
    const { settings } = this.#target;
    if (this.#way === undefined || settings === this.#wayOf) return false;
    const isSame = isDeepStrictEqual(this.#way, wayTo(settings));
    if (isSame) this.#wayOf = settings;
    return !isSame;
  }

  /** The connection's shortest round trip so far, in microseconds; 0: unknown. */
  get roundTripUs(): number {
    return this.#connection?.roundTripUs ?? 0;
  }

  /**
   * Asks whether it may connect; told to wait, the link waits for
   * {@linkcode LinkOwner.breakerChanged} or {@linkcode LinkOwner.connectionFree}.
   *
   * @param isWanted others wait for what it has to replay.
   */
  ask(isWanted: boolean): Permission {
    const { breaker, connections, waiting } = this.#target;
    if (!connections.take(this.#owner, isWanted)) {
      this.#state = "waiting";
      return "wait";
    }
    const permission = breaker.ask(monotonicUs());
    if (permission !== "connect") connections.free(this.#owner);
    if (permission === "wait") {
      this.#state = "waiting";
      waiting.add(this.#owner);
    } else if (permission === "connect") this.#state = "connecting";
    return permission;
  }

  /** Ends the waiting. @returns whether there was any. */
  stopWaiting(): boolean {
    if (this.#state !== "waiting") return false;
    this.#state = "resting";
    return true;
  }

  /** Connects, with permission; the owner hears what comes of it, of a failure perhaps at once. */
  connect(): void {
    const { settings, server, reactor, scratch } = this.#target;
    this.#way = wayTo(settings);
    this.#wayOf = settings;
    this.#row.open();
    try {
      this.#connection = new MirrorConnection(
        reactor,
        server,
        laneStartup(this.#parameters, settings.login),
        new Login(settings.login),
        scratch,
        this.#owner,
      );
    } catch (error) {
      this.#owner.onLost({
        kind: "connection",
        message: (error as Error).message,
        sqlstate: undefined,
      });
    }
  }

  /** The login went through: the breaker knows, and who waited for it. */
  loggedIn(): void {
    const { breaker } = this.#target;
    const first = breaker.state(monotonicUs()) !== "closed";
    breaker.succeeded();
    if (first) {
      this.#target.log("info", "Mirror answers", {});
      // It may have been restored from a dump meanwhile: its OIDs are others.
      this.#target.schemaChanged(true);
      this.wakeWaiting();
    }
    this.#state = "open";
  }

  /** Sends `bytes`, which must not change afterwards. */
  send(bytes: Uint8Array<ArrayBuffer>): void {
    this.#connection?.send(bytes);
  }

  /** @param state of the row, one of ClientState. */
  show(state: number): void {
    this.#row.show(state);
  }

  /** Closes the connection, if it is not closed yet; {@linkcode LaneLink.rest} or `lost` says why. */
  drop(): void {
    this.#connection?.close();
    this.#connection = undefined;
    this.#row.close();
    this.#target.connections.free(this.#owner);
  }

  /** Gives the connection up; the next one is made at the next need. */
  rest(): void {
    this.drop();
    this.#state = "resting";
  }

  /**
   * The connection was lost, or did not come about; breaker and log are told.
   *
   * @returns whether it had been logged in. If not, nobody connects for now, and
   * those who wait for the breaker are to be woken.
   */
  lost(failure: ConnectionFailure): boolean {
    const { breaker, settings } = this.#target;
    const wasConnecting = this.#state === "connecting";
    this.#state = "resting";
    const properties = {
      mirror: settings.name,
      reason: failure.message,
      sqlstate: failure.sqlstate,
    };
    if (!wasConnecting) {
      breaker.lost();
      this.#target.log("warn", "Mirror connection lost", properties);
      return true;
    }
    if (failure.sqlstate && !MIRROR_WIDE.test(failure.sqlstate)) {
      // The mirror is there, it refuses this session only.
      breaker.abandoned();
      this.#refused = true;
      this.#target.log("warn", "Mirror refuses a session", properties);
    } else {
      breaker.failed(monotonicUs());
      this.#target.unreachable();
      this.#target.log("warn", "Mirror login failed", properties);
    }
    return false;
  }

  /** Has all lanes that wait for the breaker ask it again. */
  wakeWaiting(): void {
    const owners = [...this.#target.waiting];
    this.#target.waiting.clear();
    for (const owner of owners) owner.breakerChanged();
  }

  /** The lane is over. */
  close(): void {
    this.#abandon();
    this.drop();
  }

  /** Lets go of the connection when even closing it may throw. */
  forget(): void {
    this.#abandon();
    this.#connection = undefined;
    this.#target.connections.free(this.#owner);
  }

  /** Asks for nothing any more. Who waited for its try hears of it, but not in the middle of a reload or a stop. */
  #abandon(): void {
    const { breaker, reactor, waiting } = this.#target;
    const wasConnecting = this.#state === "connecting";
    this.#state = "resting";
    waiting.delete(this.#owner);
    if (!wasConnecting) return;
    breaker.abandoned();
    reactor.after(0, () => this.wakeWaiting());
  }
}

function wayTo({ address, tls }: TargetSettings) {
  return { address, tls };
}
