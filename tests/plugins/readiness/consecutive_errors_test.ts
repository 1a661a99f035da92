import assert from "node:assert/strict";
import { ConsecutiveErrors } from "../../../plugins/readiness/consecutive_errors.ts";
import { ANN, BOB, counted, replay, WEB } from "../fixture.ts";

Deno.test("ConsecutiveErrors: a row begins anew, and a success ends what was before", () => {
  const all = counted();
  const errors = new ConsecutiveErrors();
  const longest = () => errors.longest(all.registry.snapshot(), () => true);
  replay(all, ANN, { times: 7, errorsOnMirror: 1 });
  replay(all, BOB, { times: 4, errorsOnMirror: 1 });
  assert.equal(longest(), 7);
  errors.begin(all.registry.snapshot());
  assert.equal(longest(), 0);
  replay(all, BOB, { times: 3, errorsOnMirror: 1 });
  assert.equal(longest(), 3);
  // A success, then more than there were before.
  replay(all, ANN);
  replay(all, ANN, { times: 9, errorsOnMirror: 1 });
  assert.equal(longest(), 9);
  assert.equal(
    errors.longest(
      all.registry.snapshot(),
      ({ database }) => database === WEB[0],
    ),
    0,
  );
});

Deno.test("mirror_consecutive_errors: an error that a rule accepts is a success, and counted", () => {
  const all = counted();
  replay(all, ANN, { times: 2, errorsOnMirror: 2 });
  replay(all, ANN, { errorsOnMirror: 2, openErrors: 0 });
  const snapshot = all.registry.snapshot();
  const value = (name: string) => snapshot.get(name)?.series[0]?.value;
  assert.equal(value("mirror_consecutive_errors"), 0);
  assert.equal(value("mirror_replays_with_errors_total"), 3);
  assert.equal(value("mirror_replays_with_accepted_errors_total"), 1);
});
