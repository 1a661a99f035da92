import assert from "node:assert/strict";
import {
  COPY_DONE_ENTRY,
  CycleEntries,
  QUERY_ENTRY,
  SYNC_ENTRY,
} from "../../src/proxy/cycle_entries.ts";
import { randomOf } from "../support/mutation.ts";

Deno.test("CycleEntries: the oldest that ends a cycle is found, whatever comes and goes", () => {
  const random = randomOf(7);
  const entries = new CycleEntries();
  /** What is in there, oldest first. */
  const model: number[] = [];
  for (let i = 0; i < 20_000; i++) {
    const choice = random();
    if (choice < 0.4) {
      const kind = random() < 0.7 ? COPY_DONE_ENTRY : SYNC_ENTRY;
      entries.push(kind, i, i, 0);
      model.push(kind);
    } else if (choice < 0.5) {
      entries.unshift(QUERY_ENTRY, i, i, 0);
      model.unshift(QUERY_ENTRY);
    } else if (choice < 0.8) {
      const count = Math.min(model.length, Math.floor(random() * 3));
      entries.drop(count);
      model.splice(0, count);
    }
    const first = model.findIndex((kind) => kind >= QUERY_ENTRY);
    assert.equal(entries.firstCycle, first < 0 ? model.length : first);
    assert.deepEqual(model.map((_, at) => entries.kind(at)), model);
  }
});
