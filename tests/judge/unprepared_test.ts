import assert from "node:assert/strict";
import { NOT_PREPARED, Unprepared } from "../../src/judge/unprepared.ts";
import { OTHER_SHAPE } from "../../src/sql/shape.ts";
import { sqlstate } from "../../src/wire/mod.ts";

Deno.test("Unprepared: what failed last is known until it succeeds, up to a bound", () => {
  const failed = new Unprepared();
  const shape = { ...OTHER_SHAPE };
  assert.ok(!failed.has(shape));
  failed.note(shape, NOT_PREPARED);
  assert.ok(!failed.has(shape));
  failed.note(shape, sqlstate("42883"));
  failed.note(shape, NOT_PREPARED);
  assert.ok(failed.has(shape));
  failed.note(shape, 0);
  assert.ok(!failed.has(shape));
  // It was prepared if it broke a constraint.
  failed.note(shape, sqlstate("42883"));
  failed.note(shape, sqlstate("23505"));
  assert.ok(!failed.has(shape));
  failed.note(shape, sqlstate("42883"));
  for (let i = 0; i < 999; i++) failed.note({ ...shape }, sqlstate("42883"));
  assert.ok(failed.has(shape));
  failed.note({ ...shape }, sqlstate("42883"));
  assert.ok(!failed.has(shape));
});
