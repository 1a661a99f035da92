import assert from "node:assert/strict";
import type { ShapeCache } from "../../src/sql/shape_cache.ts";
import { mutate, randomOf, type Recording } from "./mutation.ts";
import { replayAgainst, TappedSession } from "./tapped_session.ts";

/** No session of a few kilobytes takes so long. */
const MAX_MS = 5_000;

/**
 * Plays mutated recordings through tap, ring and replay: both sides' bytes are
 * changed, and so are the mirror's.
 *
 * @throws what the code threw, or {AssertionError}, with the seed of the mutation.
 */
export function runMutations(
  recordings: readonly Recording[],
  shapes: ShapeCache,
  options: {
    readonly seed: number;
    readonly mutations: number;
    readonly limitMs?: number;
    readonly onProgress?: (mutations: number) => void;
  },
): number {
  const deadline = performance.now() + (options.limitMs ?? Infinity);
  let done = 0;
  while (done < options.mutations && performance.now() < deadline) {
    const seed = options.seed + done;
    const begin = performance.now();
    try {
      runMutation(recordings, shapes, randomOf(seed));
      assert.ok(performance.now() - begin < MAX_MS, "it hangs");
    } catch (error) {
      throw new Error(`Mutation with seed ${seed}: ${error}`, { cause: error });
    }
    done++;
    options.onProgress?.(done);
  }
  return done;
}

function runMutation(
  recordings: readonly Recording[],
  shapes: ShapeCache,
  random: () => number,
): void {
  const { client, server } = recordings[
    Math.floor(random() * recordings.length)
  ] as Recording; // in range
  const maybe = (bytes: Uint8Array) =>
    random() < 0.5 ? mutate(bytes, random) : bytes;
  const session = new TappedSession(shapes);
  for (const [i, bytes] of client.entries()) {
    for (const chunk of cut(maybe(bytes), random)) session.client(chunk);
    for (const chunk of cut(maybe(server[i] as Uint8Array), random)) {
      session.server(chunk);
    }
  }
  assert.equal(session.end(), 0, "bytes of the queue's budget are lost");
  assert.ok(
    session.closed,
    `seen ${session.seen}, excluded ${session.excluded}, dropped ${session.dropped}, recorded ${session.transactions.length}`,
  );
  const transaction =
    session.transactions[Math.floor(random() * session.transactions.length)];
  if (transaction === undefined) return;
  replayAgainst(transaction, server.flatMap((b) => [...cut(maybe(b), random)]));
}

/** In one piece, or in pieces of up to 40 bytes. */
function* cut(bytes: Uint8Array, random: () => number) {
  if (random() < 0.5) {
    yield bytes.slice();
    return;
  }
  for (let at = 0; at < bytes.length;) {
    const size = 1 + Math.floor(random() * 40);
    yield bytes.slice(at, at + size);
    at += size;
  }
}
