import assert from "node:assert/strict";
import { UNPLANNED } from "../../../src/replay/plan.ts";
import {
  CYCLE_BYTES,
  CYCLE_WORDS,
  KIND_MASK,
  ReplyDigest,
  STATEMENT_KIND,
  STATEMENT_SQLSTATE,
  STATEMENT_TAG,
} from "../../../src/record/mod.ts";
import type { Reply } from "../../../src/judge/surroundings.ts";
import { Replay } from "../../../src/replay/replay.ts";
import type { StatementPair } from "../../../src/judge/statement_pair.ts";
import type { ShapeCache } from "../../../src/sql/shape_cache.ts";
import { Framer } from "../../../src/wire/mod.ts";
import { TappedSession } from "../tapped_session.ts";
import { concat } from "../wire_client.ts";
import { type Act, CopyServer, differing } from "./copy_server.ts";
import type { CopySession } from "./copy_sessions.ts";

/**
 * Plays a session through a tap, in pieces and in an order that `random`
 * decides, and holds what comes out against what the server has acted on.
 *
 * @returns false if the cut was lost.
 * @throws {AssertionError}
 */
export function checkCopySession(
  { messages }: CopySession,
  shapes: ShapeCache,
  random: () => number,
  options: { readonly isOpen?: boolean } = {},
): boolean {
  const server = new CopyServer();
  const tapped = new TappedSession(shapes);
  const pieces = [...cut(concat(messages), random)];
  /** Sent and not read, said and not relayed. */
  let unread: Uint8Array[] = [];
  const said: Uint8Array[] = [];
  while (pieces.length + unread.length + said.length > 0) {
    const choice = Math.floor(random() * 3);
    if (choice === 0) {
      const piece = pieces.shift();
      if (piece === undefined) continue;
      tapped.client(piece);
      unread.push(piece);
    } else if (choice === 1) {
      const answer = server.take(concat(unread));
      unread = [];
      said.push(...cut(answer, random));
    } else {
      const piece = said.shift();
      if (piece !== undefined) tapped.server(piece);
    }
  }
  assertTapped(tapped, server, random, options);
  return tapped.excluded === 0;
}

/** What is compared of a statement's two answers. */
type Told = (reply: Reply) => unknown;

/** As much as the model's answer has of a real server's. */
export const kindOf: Told = ({ words, at }) =>
  (words[at + STATEMENT_KIND] as number) & KIND_MASK;
const all: Told = (reply) => [
  kindOf(reply),
  reply.words[reply.at + STATEMENT_TAG],
  reply.words[reply.at + STATEMENT_SQLSTATE],
];

/**
 * The tap saw what the server did: a transaction for each ReadyForQuery that
 * said idle, each message in the cycle that answered it, an equal mirror answers
 * the same, and one that differs each cycle once.
 *
 * @throws {AssertionError}
 */
export function assertTapped(
  tapped: TappedSession,
  server: CopyServer,
  random: () => number,
  { told = all, isOpen = false }: { told?: Told; isOpen?: boolean },
): void {
  assert.ok(!tapped.busy, "it waits for an answer");
  tapped.end();
  const { seen, excluded, dropped, transactions } = tapped;
  assert.ok(tapped.closed);
  const ends = [...server.answers.matchAll(/ZI/g)].length;
  assert.deepEqual({ seen, dropped }, { seen: ends, dropped: 0 });
  // Lost on the way: what came before is right.
  if (!isOpen) assert.equal(excluded, 0);
  const cycles: { from: number; to: number }[] = [];
  let at = 0;
  for (const { cycles: words } of transactions) {
    for (let i = 0; i < words.length; i += CYCLE_WORDS) {
      const to = at + (words[i + CYCLE_BYTES] as number);
      cycles.push({ from: at, to });
      at = to;
    }
  }
  if (excluded === 0) assert.equal(cycles.length, server.ready, "cycles");
  for (const act of server.acts) {
    if (act.ready < cycles.length) assertWithin(act, cycles[act.ready]);
  }
  const assertEqual = ({ primary, mirror }: StatementPair) => {
    assert.deepEqual(mirror && told(mirror), primary && told(primary));
  };
  const mirror = new CopyServer();
  for (const transaction of transactions) {
    replayOn(mirror, transaction, random, assertEqual);
  }
  // Whatever it answers, it does so once.
  const other = new CopyServer(differing(random));
  for (const transaction of transactions) {
    replayOn(other, transaction, random, () => {});
  }
}

function assertWithin(
  { from, to, ready }: Act,
  cycle: { from: number; to: number } | undefined,
): void {
  // A Sync's bytes may stand in the cycle before.
  if (to - from === 5) return;
  assert.ok(
    cycle !== undefined && cycle.from <= from && to <= cycle.to,
    `message [${from}, ${to}) belongs to cycle ${ready}, [${cycle?.from}, ${cycle?.to})`,
  );
}

/** The mirror's answers come in pieces: it may be further than they let see. */
function replayOn(
  mirror: CopyServer,
  transaction: TappedSession["transactions"][number],
  random: () => number,
  onPair: (pair: StatementPair) => void,
): void {
  const replay = new Replay(
    transaction,
    UNPLANNED,
    new ReplyDigest(0),
    new Framer(),
  );
  const answers: Uint8Array[] = [];
  const send = (bytes: Uint8Array) => {
    answers.push(...cut(mirror.take(bytes), random));
  };
  send(replay.take(0));
  for (;;) {
    const answer = answers.shift();
    assert.ok(answer !== undefined, "the mirror waits, and so does the replay");
    const progress = replay.reply(answer, answer.length, 1, onPair);
    if (progress === "waiting") continue;
    if (progress === "stuck") send(replay.missing);
    else {
      assert.notEqual(progress, "protocol");
      assert.deepEqual(answers, [], "the mirror says more than was asked");
      if (progress === "done") return;
      send(replay.take(1));
    }
  }
}

/** In one piece, or in pieces of up to 40 bytes. */
export function* cut(bytes: Uint8Array, random: () => number) {
  const most = random() < 0.3 ? bytes.length : 1 + Math.floor(random() * 60);
  for (let at = 0; at < bytes.length;) {
    const size = 1 + Math.floor(random() * most);
    yield bytes.slice(at, at + size);
    at += size;
  }
}
