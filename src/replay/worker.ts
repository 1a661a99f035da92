/**
 * The mirror worker: takes finished transactions out of the rings and replays
 * each session on lanes of its own. It drains the rings first and always, so
 * that a slow mirror fills queues that are bounded here, and never the ring.
 *
 * @module
 */

/// <reference lib="deno.worker" />
import { loadModule } from "libpg-query";
import {
  Command,
  type Mailbox,
  readCommand,
  readSettings,
  type WorkerMessage,
} from "../mailbox/mod.ts";
import {
  clearWake,
  EpollReactor,
  keepFreedMemory,
  leaveDescriptors,
  monotonicUs,
  READ,
  setNice,
} from "../io/mod.ts";
import { loadProbes } from "../plugin/mod.ts";
import {
  QueueBudget,
  RECORD_CLOSE,
  RECORD_FRAGMENT,
  RECORD_KIND_MASK,
  RECORD_OPEN,
  RingConsumer,
  type RingMemory,
} from "../record/mod.ts";
import {
  ConnectionTable,
  type ConnectionTableMemory,
} from "../stats/connection_table.ts";
import { type StatsLayout, Stripe } from "../stats/mod.ts";
import { ShapeCache } from "../sql/shape_cache.ts";
import { Dial, TlsContexts, type TlsMaterial } from "../tls/mod.ts";
import { MirrorConnection, type MirrorServer } from "./connection.ts";
import { askForFacts } from "./facts.ts";
import type { Lane } from "./lane.ts";
import { MirroredSession, readOpening } from "./mirrored_session.ts";
import type { Target, TargetSettings } from "./target.ts";
import { Targets } from "./targets.ts";

/** What a reload may change. */
export interface MirrorSettings {
  readonly targets: readonly TargetSettings[];
  readonly tls: TlsMaterial;
  /** Bound of what waits for all mirrors, in bytes. */
  readonly queueBytes: number;
  /** Descriptors of lanes have lower numbers. */
  readonly maxDescriptors: number;
  /** Its number: with another one what is known of statements begins anew. */
  readonly window: number;
}

/** What the mirror worker is started with. */
export interface MirrorInit {
  readonly stripe: number;
  readonly stats: StatsLayout;
  readonly probes: readonly string[];
  /** One for each proxy worker. */
  readonly rings: readonly RingMemory[];
  readonly mailbox: Mailbox;
  readonly settings: MirrorSettings;
  /** Where the lanes are listed for SHOW SERVERS. */
  readonly lanes: ConnectionTableMemory;
  /** Clients, one table for each proxy worker. */
  readonly clientTables: readonly ConnectionTableMemory[];
}

/** Clients come first: where cores are short, replaying lags. */
const NICE = 10;
const KEPT_BYTES = 64 * 1024 * 1024;
const SCRATCH_BYTES = 64 * 1024;
/** Records taken from one ring before the sockets are looked at again. */
const RING_BUDGET = 256;
/** How often deadlines are looked at: the precision of every timeout here. */
const DEADLINE_TICK_MS = 50;
/** Sleeps shorter than this are not interrupted by records. */
const NAP_US = 13_000;
/** After records: when to look for more, so that each need not wake this thread. */
const LOOK_AGAIN_MS = 5;
/** Statement shapes known in a generation: a text that was forgotten is parsed again. */
const MAX_SHAPES = 10_000;
/** How often, and how many at a time, summaries of statements go to the main thread. */
const REPORT_MS = 500;
const REPORT_LIMIT = 200;

function tell(message: WorkerMessage): void {
  self.postMessage(message);
}

async function start(init: MirrorInit): Promise<void> {
  const stripe = new Stripe(init.stats, init.stripe);
  const probes = await loadProbes(
    init.probes,
    { role: "mirror", stripe },
    (probe, error) =>
      tell({
        type: "log",
        level: "error",
        message: "A probe failed and is off in the mirror worker",
        properties: { probe, error: String(error) },
      }),
  );
  setNice(NICE);
  leaveDescriptors(init.settings.maxDescriptors);
  keepFreedMemory(KEPT_BYTES);
  const reactor = new EpollReactor();
  const scratch = new Uint8Array(SCRATCH_BYTES);
  const laneTable = new ConnectionTable(init.lanes);
  const clients = init.clientTables.map((memory) =>
    new ConnectionTable(memory)
  );
  // Asynchronous things end here: inside the loop no promise runs.
  await loadModule();
  const shapes = new ShapeCache(MAX_SHAPES, (error) =>
    tell({
      type: "log",
      level: "warn",
      message: "A statement could not be looked at, and is not compared",
      properties: { error: String(error) },
    }));
  const budget = new QueueBudget(init.settings.queueBytes);
  const rings = init.rings.map((memory) => new RingConsumer(memory));
  const sessions = new Map<number, MirroredSession>();
  const lanes = new Set<Lane>();
  const timed = new Set<Lane>();
  let draining = false;

  const contexts = new TlsContexts(init.settings.tls);
  contexts.attach(reactor);
  const targets = new Targets({
    reactor,
    probes,
    scratch,
    budget,
    laneTable,
    shapes,
    timed,
    serverOf: ({ address, tls }): MirrorServer => ({
      address,
      tls: tls && { address, ...tls, contexts },
    }),
    log: (level, message, properties) =>
      tell({ type: "log", level, message, properties }),
    unreachable: () => tell({ type: "unreachable" }),
    onAdded: ask,
    isAlone(database, lane, isHere) {
      const connected = clients.reduce(
        (sum, table) => sum + table.count({ database }),
        0,
      );
      const isQuiet = connected <= (isHere ? 1 : 0) ||
        clients.every((table) => table.isIdle(database));
      // Who has gone, or rests, may have left what is still to be replayed.
      return isQuiet && rings.every((ring) => ring.isEmpty) &&
        [...lanes].every((other) =>
          other === lane || !other.isBusy ||
          other.target.settings.sourceDatabase !== database
        );
    },
  });
  const sessionOptions = {
    probes,
    budget,
    target: (id: number) => targets.get(id),
    series: ({ settings }: Target, user: string) =>
      stripe.series([settings.sourceDatabase, settings.name, user]),
    onLane: (lane: Lane) => lanes.add(lane),
    onLaneClosed(lane: Lane) {
      lanes.delete(lane);
      if (draining) stopIfDrained();
    },
    onFault: fault,
  };

  function open(ring: RingConsumer, at: number): void {
    const id = ring.words[(at >> 2) + 1] as number;
    const opening = readOpening(ring, at);
    const known = sessions.get(id);
    if (known === undefined) {
      sessions.set(id, new MirroredSession(id, opening, sessionOptions));
    } else known.open(opening);
  }

  let taken = 0;
  function takeSettings(): void {
    const next = readSettings<MirrorSettings>(init.mailbox, taken);
    if (next === undefined) return;
    taken = next.sequence;
    budget.maxBytes = next.settings.queueBytes;
    attempt(() => contexts.replace(next.settings.tls));
    const changed = targets.apply(next.settings.targets);
    for (const lane of [...lanes]) {
      if (changed.has(lane.target)) lane.targetChanged();
    }
    if (next.settings.window !== window) beginWindow(next.settings.window);
    tell({ type: "settings", sequence: taken });
  }

  let window = init.settings.window;
  /** Statements and counts begin at one moment: nothing is judged in between. */
  function beginWindow(next: number): void {
    window = next;
    report(Infinity);
    for (const table of targets.tables) table.clear();
    tell({ type: "window", window, cells: stripe.cells.slice() });
  }

  function attempt(run: () => void): void {
    try {
      run();
    } catch (error) {
      fault(error);
    }
  }

  function record(ring: RingConsumer, at: number): void {
    const word = at >> 2;
    const id = ring.words[word + 1] as number;
    switch ((ring.words[word] as number) & RECORD_KIND_MASK) {
      case RECORD_OPEN:
        return open(ring, at);
      case RECORD_FRAGMENT: {
        const session = sessions.get(id);
        try {
          return session?.stream.fragment(ring, at);
        } catch (error) {
          session?.broken(ring.words[word] as number);
          throw error;
        }
      }
      case RECORD_CLOSE: {
        const session = sessions.get(id);
        if (session === undefined) return;
        sessions.delete(id);
        session.leave();
        session.stream.close();
      }
    }
  }

  /** Whether a record came since the last sleep. */
  let busy = false;
  /** Whether this thread will look for more by itself. */
  let looks = false;
  /** True if a ring still holds records. */
  function drainRings(): boolean {
    let more = false;
    for (const ring of rings) {
      let at = ring.next();
      for (let i = 0; at >= 0 && i < RING_BUDGET; i++) {
        try {
          record(ring, at);
        } catch (error) {
          fault(error);
        }
        ring.release();
        busy = true;
        at = ring.next();
      }
      if (at >= 0) more = true;
    }
    return more;
  }

  function fault(error: unknown): void {
    tell({
      type: "log",
      level: "error",
      message: "A replay failed inside the mirror worker",
      properties: { error: String((error as Error)?.stack ?? error) },
    });
  }

  /** Before each sleep: empty the rings, or promise to come back at once. */
  let poll = reactor.after(0, () => {});
  function beforeSleep(): void {
    let more = drainRings();
    if (busy && !looks) {
      looks = true;
      reactor.after(LOOK_AGAIN_MS, () => looks = false);
    }
    busy = false;
    // Who gets up soon by itself need not be woken for each record.
    const naps = reactor.nextTimerUs - monotonicUs() < NAP_US;
    for (const ring of rings) ring.setSleeping(!naps);
    // A record may have come between the look and the promise to sleep.
    more ||= !naps && rings.some((ring) => !ring.isEmpty);
    if (more) {
      for (const ring of rings) ring.setSleeping(false);
      reactor.cancel(poll);
      poll = reactor.after(0, () => {});
    }
  }

  /** Both come back whatever happens: they are promised again first. */
  function tick(): void {
    reactor.after(DEADLINE_TICK_MS, tick);
    for (const lane of timed) lane.checkDeadline(reactor.nowUs);
    for (const { connections } of targets.all) connections.look(reactor.nowUs);
  }

  /** Sends the main thread what is new about statements and columns. */
  function report(limit: number): void {
    // Statements name them.
    const columns = targets.takeChanceColumns(limit);
    if (columns.length > 0) tell({ type: "chance columns", columns });
    const exclusions = targets.takeExclusions();
    if (exclusions.length > 0) tell({ type: "exclusions", exclusions });
    for (const table of targets.tables) {
      const changes = table.takeChanged(limit);
      if (changes.summaries.length > 0) tell({ type: "statements", changes });
    }
  }

  function reportNowAndThen(): void {
    reactor.after(REPORT_MS, reportNowAndThen);
    report(REPORT_LIMIT);
  }

  /** Asks a server that has become a mirror what it is. */
  function ask({ settings, server }: Target): void {
    const { sourceDatabase: database, name: mirror } = settings;
    askForFacts({
      reactor,
      settings,
      server,
      scratch,
      onFacts: (facts) => tell({ type: "facts", database, mirror, facts }),
      onFailed: (reason) =>
        tell({
          type: "log",
          level: "debug",
          message: "Mirror could not be asked what it is",
          properties: { mirror, reason },
        }),
    });
  }

  function stopIfDrained(): void {
    if (lanes.size === 0 && rings.every((ring) => ring.isEmpty)) {
      tell({ type: "drained" });
    }
  }

  reactor.add(init.mailbox.wake, {
    onReadable() {
      clearWake(init.mailbox.wake);
      takeSettings();
      const command = readCommand(init.mailbox);
      if (command >= Command.drain && !draining) {
        draining = true;
        while (drainRings());
        for (const session of sessions.values()) session.leave();
        stopIfDrained();
      }
      if (command === Command.stop) {
        while (drainRings());
        for (const lane of [...lanes]) lane.shutdown();
        targets.close();
        attempt(() => report(Infinity));
        tell({ type: "stopped" });
        reactor.stop();
      }
    },
    onWritable() {},
    onHangup() {},
  }, READ);
  // What depends on the order of writers must know all that is known.
  reactor.onTurnBegin(drainRings);
  reactor.onTurnEnd(beforeSleep);
  reactor.onError((error, handler) => {
    fault(error);
    if (handler instanceof MirrorConnection || handler instanceof Dial) {
      handler.fault();
    }
  });
  targets.apply(init.settings.targets);
  tick();
  reportNowAndThen();
  tell({ type: "ready" });
  reactor.run();
  self.close();
}

self.onmessage = (event: MessageEvent<MirrorInit>) => {
  start(event.data).catch((error) =>
    tell({ type: "failed", message: String(error?.stack ?? error) })
  );
};
