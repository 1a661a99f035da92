import assert from "node:assert/strict";
import { Breaker } from "../../src/replay/breaker.ts";
import { LaneLink, type LinkOwner } from "../../src/replay/lane_link.ts";
import { MirrorConnections } from "../../src/replay/mirror_connections.ts";
import type { Target } from "../../src/replay/target.ts";

for (const end of ["close", "forget"] as const) {
  Deno.test(`LaneLink.${end}: whoever waits for its try at the mirror asks again`, () => {
    const later: (() => void)[] = [];
    /** As much of a target as a link asks for. */
    const target = {
      breaker: new Breaker(),
      connections: new MirrorConnections(() => ({
        maxConnections: 0,
        idleTimeoutMs: Infinity,
      })),
      waiting: new Set(),
      reactor: {
        after: (_ms: number, callback: () => void) => later.push(callback),
      },
    } as unknown as Target;
    const woken: string[] = [];
    const link = (name: string) => {
      const owner = { breakerChanged: () => woken.push(name) };
      return new LaneLink(target, "", owner as unknown as LinkOwner);
    };
    const [first, second] = [link("first"), link("second")];
    assert.equal(first.ask(false), "connect");
    assert.equal(second.ask(false), "wait");
    first[end]();
    assert.deepEqual(woken, [], "not at once: others may end, too");
    for (const callback of later) callback();
    assert.deepEqual(woken, ["second"]);
    assert.ok(second.stopWaiting());
    assert.equal(second.ask(false), "connect");
  });
}
