import assert from "node:assert/strict";
import { NOT_PREPARED, Unprepared } from "../../src/judge/unprepared.ts";
import { OTHER_SHAPE } from "../../src/sql/shape.ts";
import { sqlstate } from "../../src/wire/mod.ts";

Deno.test("Unprepared: what failed last is known until it succeeds, up to a bound", () => {
  const failed = new Unprepared();
  const shape = { ...OTHER_SHAPE };
  const GONE = sqlstate("42883");
  const cause = () => failed.cause(shape, NOT_PREPARED);
  assert.equal(cause(), NOT_PREPARED);
  failed.note(shape, NOT_PREPARED);
  assert.equal(cause(), NOT_PREPARED);
  failed.note(shape, GONE);
  failed.note(shape, NOT_PREPARED);
  failed.note(shape, sqlstate("25P02"));
  assert.equal(cause(), GONE);
  assert.equal(failed.cause(shape, 0), 0, "it has not failed");
  failed.note(shape, 0);
  assert.equal(cause(), NOT_PREPARED);
  // It was prepared if it broke a constraint.
  failed.note(shape, GONE);
  failed.note(shape, sqlstate("23505"));
  assert.equal(cause(), NOT_PREPARED);
  failed.note(shape, GONE);
  for (let i = 0; i < 999; i++) failed.note({ ...shape }, GONE);
  assert.equal(cause(), GONE);
  failed.note({ ...shape }, GONE);
  assert.equal(cause(), NOT_PREPARED);
});
