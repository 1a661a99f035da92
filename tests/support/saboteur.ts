/**
 * A probe that breaks a worker from inside: every worker loads it before its
 * loop begins, and it makes methods of the worker's classes throw when a file
 * says so. The file is the one thing that a test can change while the loop,
 * which blocks, goes on.
 *
 * @module
 */

import { Login } from "../../src/auth/mod.ts";
import { ReplyDigest, RingProducer } from "../../src/record/mod.ts";
import { Admission } from "../../src/replay/admission.ts";
import { Breaker } from "../../src/replay/breaker.ts";
import { CommitOrder } from "../../src/replay/commit_order.ts";
import { MirrorConnection } from "../../src/replay/connection.ts";
import { Judge } from "../../src/judge/judge.ts";
import { Lane } from "../../src/replay/lane.ts";
import { LaneLink } from "../../src/replay/lane_link.ts";
import { LaneQueue } from "../../src/replay/lane_queue.ts";
import { LaneRow } from "../../src/replay/lane_row.ts";
import { Replay } from "../../src/replay/replay.ts";
import { Replayer } from "../../src/replay/replayer.ts";
import { SessionLog } from "../../src/replay/session_log.ts";
import { SessionStatements } from "../../src/replay/session_statements.ts";
import { KnownColumns } from "../../src/judge/known_columns.ts";
import { StatementTable } from "../../src/judge/statement_table.ts";
import { Stream } from "../../src/record/stream.ts";
import type { Probe, ProbeContext } from "../../src/plugin/api.ts";
import { Capture } from "../../src/proxy/capture.ts";
import { Cycles } from "../../src/proxy/cycles.ts";
import { Tap } from "../../src/proxy/tap.ts";
import { ShapeCache } from "../../src/sql/shape_cache.ts";

type Methods = Readonly<Record<string, readonly string[]>>;

/** What throws in the mirror worker. */
export const MIRROR_HOOKS: Methods = {
  Lane: ["submit", "missed", "leave", "onLoggedIn", "onReply"],
  Admission: ["submit", "missed"],
  LaneLink: ["ask", "connect", "loggedIn", "drop"],
  LaneQueue: ["push", "shift", "settle"],
  LaneRow: ["open", "show", "close"],
  Replay: ["take", "reply"],
  Replayer: ["restore", "finish", "end", "rest"],
  Judge: ["begin", "pair", "end"],
  StatementTable: ["add", "takeChanged"],
  CommitOrder: ["begin", "isTurn"],
  SessionStatements: ["cycle"],
  SessionLog: ["add"],
  Stream: ["fragment", "close"],
  ShapeCache: ["get"],
  MirrorConnection: ["send", "onReadable", "onWritable", "close"],
  Login: ["answer"],
  Breaker: ["ask", "succeeded"],
  ReplyDigest: ["step", "cycleEnded", "clear", "rest", "drain"],
  KnownColumns: ["note"],
};

/** What throws in the proxy workers, on the mirror's behalf. */
export const PROXY_HOOKS: Methods = {
  Tap: ["client", "server", "end"],
  Cycles: ["client", "ready"],
  Capture: ["append", "addCycle", "finish", "close"],
  ReplyDigest: ["step", "cycleEnded", "rest", "drain"],
  RingProducer: ["reserve", "commit"],
};

const CLASSES: Readonly<Record<string, { readonly prototype: object }>> = {
  Admission,
  Breaker,
  Capture,
  CommitOrder,
  Cycles,
  Judge,
  KnownColumns,
  Lane,
  LaneLink,
  LaneQueue,
  LaneRow,
  Login,
  MirrorConnection,
  Replay,
  Replayer,
  ReplyDigest,
  RingProducer,
  SessionLog,
  SessionStatements,
  ShapeCache,
  StatementTable,
  Stream,
  Tap,
};

/** Text of the file that is armed: role, class, method, and how many calls go well before. */
export function order(
  role: ProbeContext["role"],
  hook: string,
  after: number,
): string {
  return `${role} ${hook} ${after}`;
}

/** Text of the file once the method has thrown. */
export const DONE = "done";

export default function saboteur({ role }: ProbeContext): Probe {
  const path = new URL(import.meta.url).searchParams.get("file") ?? "";
  const hooks = role === "mirror" ? MIRROR_HOOKS : PROXY_HOOKS;
  for (const [name, methods] of Object.entries(hooks)) {
    const prototype = CLASSES[name]?.prototype as Record<
      string,
      (...args: unknown[]) => unknown
    >;
    for (const method of methods) {
      const original = prototype[method];
      if (original === undefined) throw new Error(`No ${name}.${method}`);
      prototype[method] = function (...args: unknown[]) {
        throwIfOrdered(path, role, `${name}.${method}`);
        return original.apply(this, args);
      };
    }
  }
  return {};
}

function throwIfOrdered(
  path: string,
  role: ProbeContext["role"],
  hook: string,
): void {
  const text = Deno.readTextFileSync(path);
  if (!text.startsWith(`${role} ${hook} `)) return;
  const after = Number(text.split(" ")[2]);
  if (after > 0) {
    return Deno.writeTextFileSync(path, order(role, hook, after - 1));
  }
  Deno.writeTextFileSync(path, DONE);
  throw new Error(`Sabotage of ${hook}`);
}
