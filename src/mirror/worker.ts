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
  type WorkerMessage,
} from "../control/mailbox.ts";
import {
  clearWake,
  EpollReactor,
  keepFreedMemory,
  monotonicUs,
  READ,
  setNice,
} from "../io/mod.ts";
import { loadProbes } from "../plugin/mod.ts";
import {
  FLAG_DISCARD,
  FLAG_END,
  KIND_CLOSE,
  KIND_FRAGMENT,
  KIND_MASK,
  KIND_OPEN,
  RingConsumer,
  type RingMemory,
} from "../ring/mod.ts";
import { ClientTable, type ClientTableMemory } from "../stats/client_table.ts";
import { type StatsLayout, Stripe } from "../stats/mod.ts";
import { Failed } from "../stats/ledger.ts";
import { ShapeCache } from "../sql/shape_cache.ts";
import { Dial, TlsEdge } from "../tls/mod.ts";
import { Breaker } from "./breaker.ts";
import { CommitOrder } from "./commit_order.ts";
import { MirrorConnection, type MirrorServer } from "./connection.ts";
import { askForFacts } from "./facts.ts";
import { createIgnore } from "./ignore.ts";
import { Lane } from "./lane.ts";
import { StatementTable } from "./statement_table.ts";
import { Stream } from "./stream.ts";
import { QueueBudget, type Target, type TargetSettings } from "./target.ts";

/** What the mirror worker is started with. */
export interface MirrorInit {
  readonly stripe: number;
  readonly stats: StatsLayout;
  readonly probes: readonly string[];
  /** One for each proxy worker. */
  readonly rings: readonly RingMemory[];
  readonly mailbox: Mailbox;
  /** For each route (source database) its mirrors; empty where there are none. */
  readonly routes: readonly (readonly TargetSettings[])[];
  /** To its TLS worker; transferred. */
  readonly tls: MessagePort | undefined;
  readonly queueBytes: number;
  /** Where the lanes are listed for SHOW SERVERS. */
  readonly lanes: ClientTableMemory;
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
const NAP_US = 6_000;
/** Statement shapes known; the rest is one shape, "other". */
const MAX_SHAPES = 10_000;
/** How often, and how many at a time, summaries of statements go to the main thread. */
const REPORT_MS = 500;
const REPORT_LIMIT = 200;

function tell(message: WorkerMessage): void {
  self.postMessage(message);
}

/** A session as the mirror worker knows it. */
interface MirroredSession {
  readonly stream: Stream;
  readonly lanes: readonly Lane[];
  /** A fragment with these flags could not be taken. */
  broken(flags: number): void;
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
  keepFreedMemory(KEPT_BYTES);
  const reactor = new EpollReactor();
  const scratch = new Uint8Array(SCRATCH_BYTES);
  const laneTable = new ClientTable(init.lanes);
  // Asynchronous things end here: inside the loop no promise runs.
  await loadModule();
  const shapes = new ShapeCache(MAX_SHAPES);
  const budget = new QueueBudget(init.queueBytes);
  const rings = init.rings.map((memory) => new RingConsumer(memory));
  const sessions = new Map<number, MirroredSession>();
  const lanes = new Set<Lane>();
  const timed = new Set<Lane>();
  let draining = false;

  const edge = init.tls && new TlsEdge(init.tls);
  const serverOf = ({ address, tls }: TargetSettings): MirrorServer => ({
    address,
    tls: tls && edge && { address, ...tls, edge },
  });
  const targets = init.routes.map((mirrors) =>
    mirrors.map((settings): Target => ({
      settings,
      server: serverOf(settings),
      breaker: new Breaker(),
      reactor,
      probes,
      scratch,
      budget,
      laneTable,
      shapes,
      columns: new Map(),
      order: new CommitOrder(),
      table: new StatementTable({
        database: settings.sourceDatabase,
        mirror: settings.name,
        maxRatio: settings.maxLatencyRatio,
        random: Math.random,
      }),
      ignored: createIgnore(settings.ignore),
      random: Math.random,
      waiting: new Set(),
      timed,
      queued: new Map(),
      log: (level, message, properties) =>
        tell({
          type: "log",
          level,
          message,
          properties: { mirror: settings.name, ...properties },
        }),
    }))
  );

  function open(ring: RingConsumer, at: number): void {
    const word = at >> 2;
    const id = ring.words[word + 1] as number;
    const route = ring.words[word + 2] as number;
    const length = ring.words[word + 3] as number;
    const parameters = new TextDecoder().decode(
      ring.bytes.slice(at + 16, at + 16 + length),
    );
    const user = userOf(parameters);
    const laneList = (targets[route] ?? []).map((target) => {
      const series = stripe.series([
        target.settings.sourceDatabase,
        target.settings.name,
        user,
      ]);
      const lane = new Lane(
        target,
        series,
        id,
        parameters,
        (closed) => {
          lanes.delete(closed);
          if (draining) stopIfDrained();
        },
      );
      lanes.add(lane);
      return { lane, series };
    });
    const stream = new Stream({
      onTransaction: (t) =>
        laneList.forEach(({ lane, series }) => {
          try {
            lane.submit(t);
          } catch (error) {
            fault(error);
            lane.taint();
            probes.requestFailed(series, Failed.internal);
          }
        }),
      onDiscarded: (t) => laneList.forEach(({ lane }) => lane.missed(t)),
      onStateLost: () => laneList.forEach(({ lane }) => lane.taint()),
      onShed: (reason) =>
        laneList.forEach(({ series }) => probes.requestDropped(series, reason)),
    }, budget);
    sessions.set(id, {
      stream,
      lanes: laneList.map(({ lane }) => lane),
      broken(flags) {
        stream.close();
        for (const { lane, series } of laneList) {
          lane.taint();
          if ((flags & FLAG_END) !== 0 && (flags & FLAG_DISCARD) === 0) {
            probes.requestFailed(series, Failed.internal);
          }
        }
      },
    });
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
    switch ((ring.words[word] as number) & KIND_MASK) {
      case KIND_OPEN:
        return open(ring, at);
      case KIND_FRAGMENT: {
        const session = sessions.get(id);
        try {
          return session?.stream.fragment(ring, at);
        } catch (error) {
          session?.broken(ring.words[word] as number);
          throw error;
        }
      }
      case KIND_CLOSE: {
        const session = sessions.get(id);
        if (session === undefined) return;
        sessions.delete(id);
        for (const lane of session.lanes) attempt(() => lane.leave());
        session.stream.close();
      }
    }
  }

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
  }

  /** Sends the main thread what is new about statements. */
  function report(limit: number): void {
    for (const { table } of targets.flat()) {
      const summaries = table.takeChanged(limit);
      if (summaries.length > 0) tell({ type: "statements", summaries });
    }
  }

  function reportNowAndThen(): void {
    reactor.after(REPORT_MS, reportNowAndThen);
    report(REPORT_LIMIT);
  }

  function stopIfDrained(): void {
    if (lanes.size === 0 && rings.every((ring) => ring.isEmpty)) {
      tell({ type: "stopped" });
    }
  }

  reactor.add(init.mailbox.wake, {
    onReadable() {
      clearWake(init.mailbox.wake);
      const command = readCommand(init.mailbox);
      if (command >= Command.drain && !draining) {
        draining = true;
        while (drainRings());
        for (const session of sessions.values()) {
          for (const lane of session.lanes) attempt(() => lane.leave());
        }
        stopIfDrained();
      }
      if (command === Command.stop) {
        while (drainRings());
        for (const lane of [...lanes]) lane.shutdown();
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
  for (const { settings, server } of targets.flat()) {
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
  tick();
  reportNowAndThen();
  tell({ type: "ready" });
  reactor.run();
  self.close();
}

function userOf(parameters: string): string {
  const texts = parameters.split("\0");
  for (let i = 0; i + 1 < texts.length; i += 2) {
    if (texts[i] === "user") return texts[i + 1] as string; // i + 1 < length
  }
  return "";
}

self.onmessage = (event: MessageEvent<MirrorInit>) => {
  start(event.data).catch((error) =>
    tell({ type: "failed", message: String(error?.stack ?? error) })
  );
};
