/**
 * The TLS worker: ends TLS for one blocking worker. An ordinary asynchronous
 * Worker; it receives sockets and new certificates as messages.
 *
 * @module
 */

/// <reference lib="deno.worker" />
import { setNice } from "../io/mod.ts";
import { TlsConnection, type TlsConnectionOwner } from "./connection.ts";
import { TlsContexts } from "./contexts.ts";
import type { Handover } from "./edge.ts";
import type { TlsInit, TlsWorkerMessage } from "./messages.ts";

/** How often half-closed connections are looked at. */
const LOOK_MS = 1_000;
/** Failed handshakes are logged no more often: anybody can cause them. */
const FAILURE_LOG_MS = 1_000;

function tell(message: TlsWorkerMessage): void {
  self.postMessage(message);
}

let contexts: TlsContexts;
const halfClosed = new Set<TlsConnection>();
let looking: ReturnType<typeof setInterval> | undefined;
let lastFailureMs = -Infinity;
let unsaid = 0;

const owner: TlsConnectionOwner = {
  onFailed(role, reason) {
    // Of a server's the one who dials tells.
    if (role === "client") return;
    const nowMs = performance.now();
    if (nowMs - lastFailureMs < FAILURE_LOG_MS) {
      unsaid++;
      return;
    }
    tell({
      type: "log",
      level: "info",
      message: "A client's TLS handshake failed",
      properties: { reason, unsaid },
    });
    lastFailureMs = nowMs;
    unsaid = 0;
  },
  onHalfClosed(connection) {
    halfClosed.add(connection);
    looking ??= setInterval(() => {
      for (const each of halfClosed) each.look();
    }, LOOK_MS);
  },
  onClosed(connection) {
    halfClosed.delete(connection);
    if (halfClosed.size > 0) return;
    clearInterval(looking);
    looking = undefined;
  },
};

function fault(error: unknown): void {
  tell({
    type: "log",
    level: "error",
    message: "A TLS connection failed",
    properties: { error: String((error as Error)?.stack ?? error) },
  });
}

function take(handover: Handover): void {
  try {
    new TlsConnection(handover, contexts, owner);
  } catch (error) {
    fault(error);
  }
}

// One connection's trouble must not be the others'.
self.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  fault(event.reason);
});
self.addEventListener("error", (event) => {
  event.preventDefault();
  fault(event.error ?? event.message);
});

self.onmessage = ({ data }: MessageEvent<TlsInit>) => {
  contexts = new TlsContexts(data.material);
  if (data.type === "material") return;
  if (data.nice > 0) setNice(data.nice);
  data.port.onmessage = (event: MessageEvent<Handover>) => take(event.data);
  tell({ type: "ready" });
};
