import assert from "node:assert/strict";
import fc from "fast-check";
import { loadModule } from "libpg-query";
import { ShapeCache } from "../../src/sql/shape_cache.ts";
import { checkCopySession } from "../support/model/copy_check.ts";
import {
  copySessions,
  describeCopySession,
} from "../support/model/copy_sessions.ts";
import { randomOf } from "../support/mutation.ts";

const SESSIONS = Number(Deno.env.get("FUZZ_SESSIONS") ?? 2_000);
const SEED = Number(Deno.env.get("FUZZ_SEED") ?? 5);

/** @returns how many sessions were cut to their end. */
async function play(isOpen: boolean): Promise<number> {
  await loadModule();
  const shapes = new ShapeCache(1_000);
  let cut = 0;
  fc.assert(
    fc.property(copySessions(isOpen), fc.nat(), (session, seed) => {
      try {
        if (checkCopySession(session, shapes, randomOf(seed), { isOpen })) {
          cut++;
        }
      } catch (error) {
        throw new Error(`${describeCopySession(session)}\n${error}`, {
          cause: error,
        });
      }
    }),
    { numRuns: SESSIONS, seed: SEED },
  );
  return cut;
}

Deno.test("Tap: sessions full of COPYs are cut as the server reads them", async () => {
  assert.equal(await play(false), SESSIONS);
});

Deno.test("Tap: where nobody can tell what a failed COPY has read, the cut is lost, nothing before it is wrong, and all is seen", async () => {
  const cut = await play(true);
  assert.ok(cut > 0.8 * SESSIONS && cut < SESSIONS, `${cut}`);
});
