import assert from "node:assert/strict";
import { Stall } from "../../../plugins/readiness/stall.ts";
import type { StatsSnapshot } from "../../../src/plugin/api.ts";

Deno.test("Stall: pending requests of which none finds its outcome", () => {
  const stall = new Stall();
  const look = (uptimeMs: number, pending: number, mirrored: number) => {
    const values: Record<string, number> = {
      mirror_pending_requests: pending,
      mirror_requests_mirrored_total: mirrored,
    };
    const get = (name: string) => ({ series: [{ value: values[name] ?? 0 }] });
    const snapshot = { at: 0, metrics: [], get } as unknown as StatsSnapshot;
    stall.look(snapshot, uptimeMs);
    return stall.seconds;
  };
  assert.equal(look(0, 5, 100), 0);
  assert.equal(look(30_000, 5, 100), 30);
  assert.equal(look(60_000, 9, 101), 0, "one was replayed");
  assert.equal(look(90_000, 9, 101), 30);
  assert.equal(look(95_000, 0, 110), 0, "nothing is pending");
  assert.equal(look(500_000, 0, 110), 0);
});
