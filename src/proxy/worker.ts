/**
 * A proxy worker: accepts clients, relays them to their primary, taps what
 * they do. Its module's only message from the main thread is the
 * {@linkcode ProxyInit} that starts the loop.
 *
 * @module
 */

/// <reference lib="deno.worker" />
import {
  Command,
  type Mailbox,
  readCommand,
  readSettings,
  type WorkerMessage,
} from "../mailbox/mod.ts";
import {
  accept,
  clearWake,
  closeDescriptor,
  Endpoint,
  EpollReactor,
  listen,
  READ,
  send,
  signalWake,
  type SocketAddress,
  SocketTransport,
} from "../io/mod.ts";
import { loadProbes } from "../plugin/mod.ts";
import { BOUNDS, type RingMemory, RingProducer } from "../record/mod.ts";
import {
  ConnectionTable,
  type ConnectionTableMemory,
} from "../stats/connection_table.ts";
import { type StatsLayout, Stripe } from "../stats/mod.ts";
import { Dial, TlsContexts } from "../tls/mod.ts";
import { encodeErrorResponse } from "../wire/mod.ts";
import { Acceptor, type AcceptorOwner } from "./acceptor.ts";
import { Arrival, type ArrivalOwner } from "./arrival.ts";
import { BufferPool } from "./buffer_pool.ts";
import {
  ClientLimits,
  TOO_MANY,
  TOO_MANY_CONNECTIONS,
} from "./client_limits.ts";
import type { ProxyContext } from "./context.ts";
import { LateCloses } from "./late_closes.ts";
import { LoginDoor } from "./login_door.ts";
import type { ProxySettings } from "./route.ts";
import { Session } from "./session.ts";

/** What a proxy worker is started with. */
export interface ProxyInit {
  /** Its number among the proxy workers. */
  readonly index: number;
  readonly workers: number;
  readonly listen: SocketAddress;
  /** A listening unix socket that all workers share, or -1. */
  readonly unixListener: number;
  readonly settings: ProxySettings;
  readonly stats: StatsLayout;
  readonly probes: readonly string[];
  /** One for each proxy worker. */
  readonly clientTables: readonly ConnectionTableMemory[];
  readonly ring: RingMemory;
  /** The mirror worker's eventfd. */
  readonly ringWake: number;
  readonly mailbox: Mailbox;
}

/** Refusals are logged no more often: anybody can cause them. */
const REFUSAL_LOG_US = 1e6;
const RETRY_CLOSE_MS = 20;
/** How often what waits outside of the ring is tried again. */
const FLUSH_MS = 2;

function tell(message: WorkerMessage): void {
  self.postMessage(message);
}

async function start(init: ProxyInit): Promise<void> {
  const stripe = new Stripe(init.stats, init.index);
  const probes = await loadProbes(
    init.probes,
    { role: "proxy", stripe },
    (probe, error) =>
      tell({
        type: "log",
        level: "error",
        message: "A probe failed and is off in this worker",
        properties: { probe, error: String(error) },
      }),
  );
  const reactor = new EpollReactor();
  const tables = init.clientTables.map((memory) => new ConnectionTable(memory));
  const clients = tables[init.index] as ConnectionTable; // one for each worker
  const ring = new RingProducer(init.ring, init.settings.spillBytes);
  const tls = new TlsContexts(init.settings.tls, {
    serversAreTrusted: true,
  });
  tls.attach(reactor);
  const sessions = new Set<Session>();
  const arrivals = new Set<Arrival>();
  const closes = new LateCloses(ring);
  const versions = new Map<string, string>();
  let stream = init.index;
  let draining = false;

  const door = new LoginDoor(clients, {
    maxDescriptors: () => context.settings.maxDescriptors,
    onShort: () =>
      tell({
        type: "log",
        level: "warn",
        message:
          "Clients are refused: no more descriptors for them, raise the limit of open files (LimitNOFILE)",
        properties: { forClients: context.settings.maxDescriptors },
      }),
  });
  const limitsOf = ({ limits }: ProxySettings) =>
    new ClientLimits(limits, tables);
  const context: ProxyContext = {
    reactor,
    scratch: new Uint8Array(BOUNDS.readBytes),
    pool: new BufferPool(BOUNDS.smallBufferBytes, BOUNDS.largeBufferBytes),
    probes,
    ring,
    clients,
    door,
    allClients: tables,
    settings: init.settings,
    limits: limitsOf(init.settings),
    auth: init.settings.auth,
    tls,
    series: (database, mirror, user) => stripe.series([database, mirror, user]),
    nextStream: () => {
      stream = (stream + init.workers) >>> 0;
      return stream;
    },
    onVersion(route, version) {
      if (versions.get(route.name) === version || route.admin) return;
      versions.set(route.name, version);
      tell({ type: "version", database: route.name, version });
    },
    onFault: fault,
    onUnreachable: () => tell({ type: "unreachable" }),
    onClosed(session) {
      sessions.delete(session as Session);
      if (draining) stopIfDrained();
    },
    closeLater(stream) {
      const { lost } = closes;
      if (closes.add(stream)) reactor.after(RETRY_CLOSE_MS, retryCloses);
      if (lost > 0 || closes.lost === 0) return;
      tell({
        type: "log",
        level: "warn",
        message: "The mirror worker is not told of sessions that end",
        properties: { waiting: closes.waiting },
      });
    },
  };

  function retryCloses(): void {
    try {
      closes.retry();
    } finally {
      if (closes.waiting > 0) reactor.after(RETRY_CLOSE_MS, retryCloses);
    }
  }

  let flushing = false;
  /** Moves what waits outside of the ring, and comes back while anything does. */
  function flushNowAndThen(): void {
    ring.flush();
    flushing = ring.waiting > 0;
    if (flushing) reactor.after(FLUSH_MS, flushNowAndThen);
    else if (draining) stopIfDrained();
  }

  function stopIfDrained(): void {
    // What waits outside of the ring comes first.
    if (flushing) return;
    // The admin console answers until the end; its sessions hold nobody up.
    for (const session of sessions) if (!session.route?.admin) return;
    tell({ type: "drained" });
  }

  function begin(session: Session, row: number): void {
    sessions.add(session);
    door.closeBy(row, () => session.drop());
  }

  const owner: AcceptorOwner = {
    onClient(fd, host, port) {
      const row = door.open(fd, host, port, Date.now());
      if (row < 0) return refuse(fd);
      if (tls.hasClients) {
        const { loginTimeoutMs } = context.settings;
        const arrival = new Arrival(
          reactor,
          tls,
          fd,
          row,
          loginTimeoutMs,
          arrivalOwner,
        );
        arrivals.add(arrival);
        door.closeBy(row, () => arrival.close(TOO_MANY));
      } else {
        begin(new Session(context, fd, row, new SocketTransport(fd)), row);
      }
    },
    onRefused: () =>
      tell({
        type: "log",
        level: "warn",
        message: "Clients can't be accepted: out of descriptors?",
        properties: {},
      }),
  };
  let saidUs = -Infinity;
  let unsaid = 0;
  const arrivalOwner: ArrivalOwner = {
    onArrived(arrival, { fd, transport, certificateHash, head }) {
      arrivals.delete(arrival);
      const session = new Session(
        context,
        fd,
        arrival.row,
        transport,
        certificateHash,
      );
      begin(session, arrival.row);
      session.begin(head);
    },
    onClosed(arrival, reason) {
      arrivals.delete(arrival);
      clients.close(arrival.row);
      if (reason === undefined) return;
      unsaid++;
      if (reactor.nowUs - saidUs < REFUSAL_LOG_US) return;
      tell({
        type: "log",
        level: "info",
        message: "Clients were refused before their login",
        properties: { reason, count: unsaid },
      });
      saidUs = reactor.nowUs;
      unsaid = 0;
    },
  };
  const acceptors = [new Acceptor(reactor, listen(init.listen), owner)];
  if (init.unixListener >= 0) {
    acceptors.push(
      new Acceptor(reactor, init.unixListener, owner, accept, { shared: true }),
    );
  }

  let taken = 0;
  function takeSettings(): void {
    const next = readSettings<ProxySettings>(init.mailbox, taken);
    if (next === undefined) return;
    taken = next.sequence;
    const { settings } = next;
    ring.changeBound(settings.spillBytes - context.settings.spillBytes);
    context.settings = settings;
    attempt(
      "New certificates can't be used: the old ones stay",
      () => tls.replace(settings.tls),
    );
    context.limits = limitsOf(settings);
    context.auth = settings.auth;
    for (const session of sessions) session.settingsChanged();
    tell({ type: "settings", sequence: taken });
  }

  /** At least one more turn, so that the last words are sent. */
  function stopWhenFlushed(): void {
    reactor.after(flushing ? FLUSH_MS : 0, () => {
      if (flushing) stopWhenFlushed();
      else reactor.stop();
    });
  }

  const commands = {
    onReadable() {
      clearWake(init.mailbox.wake);
      takeSettings();
      const command = readCommand(init.mailbox);
      if (command >= Command.drain && !draining) {
        draining = true;
        for (const acceptor of acceptors) {
          acceptor.acceptAll();
          acceptor.close();
        }
        for (const arrival of [...arrivals]) arrival.close();
        for (const session of [...sessions]) {
          if (!session.route?.admin) session.drain();
        }
        stopIfDrained();
      }
      if (command === Command.stop) {
        for (const session of [...sessions]) session.terminate();
        stopWhenFlushed();
      }
    },
    onWritable() {},
    onHangup() {},
  };
  reactor.add(init.mailbox.wake, commands, READ);
  reactor.onTurnEnd(() => {
    if (!flushing && ring.waiting > 0) flushNowAndThen();
    if (ring.takeSleeping()) signalWake(init.ringWake);
  });
  function attempt(complaint: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      fault(complaint, error);
    }
  }
  function fault(message: string, error: unknown): void {
    const text = String((error as Error)?.stack ?? error);
    tell({ type: "log", level: "error", message, properties: { error: text } });
  }
  reactor.onError((error, handler) => {
    const known = handler instanceof Endpoint || handler instanceof Arrival ||
      handler instanceof Dial;
    if (!known) {
      return fault("A proxy worker failed, and goes on", error);
    }
    fault("A session failed and was closed", error);
    try {
      handler.fault();
    } catch (again) {
      fault("A session could not be closed", again);
    }
  });

  tell({ type: "ready" });
  reactor.run();
  tell({ type: "stopped" });
  self.close();
}

function refuse(fd: number): void {
  const refusal = encodeErrorResponse("FATAL", TOO_MANY_CONNECTIONS, TOO_MANY);
  send(fd, refusal, refusal.length);
  closeDescriptor(fd);
}

self.onmessage = (event: MessageEvent<ProxyInit>) => {
  start(event.data).catch((error) =>
    tell({ type: "failed", message: String(error?.stack ?? error) })
  );
};
