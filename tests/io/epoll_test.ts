import assert from "node:assert/strict";
import { EpollReactor } from "../../src/io/mod.ts";

Deno.test("EpollReactor: what a timer or a hook throws is told, and the turn goes on", () => {
  const reactor = new EpollReactor();
  const told: unknown[] = [];
  const done: string[] = [];
  reactor.onError((error, handler) => {
    told.push((error as Error).message);
    assert.equal(handler, undefined);
  });
  const fail = (message: string) => () => {
    throw new Error(message);
  };
  reactor.onTurnBegin(fail("begin"));
  reactor.onTurnEnd(fail("end"));
  reactor.onTurnEnd(() => done.push("end"));
  reactor.after(0, fail("timer"));
  reactor.turn(1_000);
  assert.deepEqual(told, ["begin", "timer", "end"]);
  assert.deepEqual(done, ["end"]);
  reactor.end();
});
