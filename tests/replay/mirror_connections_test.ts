import assert from "node:assert/strict";
import {
  type ConnectionHolder,
  MirrorConnections,
} from "../../src/replay/mirror_connections.ts";

/** Two connections at the most, given up after a second; what its holders hear. */
function two() {
  const settings = { maxConnections: 2, idleTimeoutMs: 1_000 };
  const heard: string[] = [];
  const connections = new MirrorConnections(() => settings);
  const holder = (name: string): ConnectionHolder => {
    const own: ConnectionHolder = {
      giveUp() {
        heard.push(`${name} gives up`);
        connections.free(own);
      },
      connectionFree() {
        heard.push(`${name} asks again`);
        assert.ok(connections.take(own, false));
      },
    };
    return own;
  };
  const [a, b, c, d] = ["a", "b", "c", "d"].map(holder) as [
    ConnectionHolder,
    ConnectionHolder,
    ConnectionHolder,
    ConnectionHolder,
  ];
  return { settings, heard, connections, a, b, c, d };
}

Deno.test("MirrorConnections: the longest at rest makes room", () => {
  const { heard, connections, a, b, c } = two();
  assert.ok(connections.take(a, false) && connections.take(b, false));
  connections.rest(b, 1);
  connections.rest(a, 2);
  assert.ok(connections.take(c, false));
  assert.deepEqual(heard, ["b gives up"]);
});

Deno.test("MirrorConnections: who is at work is left alone, and who finds no room waits in turn", () => {
  const { heard, connections, a, b, c, d } = two();
  assert.ok(connections.take(a, false) && connections.take(b, false));
  connections.rest(a, 1);
  connections.work(a);
  assert.ok(!connections.take(c, false) && !connections.take(d, false));
  assert.deepEqual(heard, []);
  connections.rest(a, 2);
  assert.deepEqual(heard.splice(0), ["a gives up", "c asks again"]);
  connections.free(b);
  assert.deepEqual(heard, ["d asks again"]);
});

Deno.test("MirrorConnections: who is waited for comes first", () => {
  const { heard, connections, a, b, c, d } = two();
  for (const one of [a, b]) assert.ok(connections.take(one, false));
  assert.ok(!connections.take(c, false) && !connections.take(d, true));
  connections.free(a);
  assert.deepEqual(heard, ["d asks again"]);
});

Deno.test("MirrorConnections: where nothing moves who is waited for takes one beyond, which makes no room", () => {
  const { heard, connections, a, b, c, d } = two();
  for (const one of [a, b]) assert.ok(connections.take(one, false));
  assert.ok(!connections.take(c, false) && !connections.take(d, true));
  connections.look(1);
  assert.deepEqual(heard, [], "a and b have just come");
  connections.look(2);
  assert.deepEqual(heard.splice(0), ["d asks again"]);
  connections.look(3);
  connections.look(4);
  connections.free(a);
  assert.deepEqual(heard, [], "b and d are two");
  connections.rest(b, 5);
  assert.deepEqual(heard, ["b gives up", "c asks again"]);
});

Deno.test("MirrorConnections: what is beyond is given up when it rests", () => {
  const { heard, connections, a, b, d } = two();
  for (const one of [a, b]) connections.take(one, false);
  connections.take(d, true);
  for (const us of [1, 2]) connections.look(us);
  connections.rest(a, 3);
  connections.rest(b, 4);
  assert.deepEqual(heard, ["d asks again", "a gives up"]);
});

Deno.test("MirrorConnections: who does not wait any more is not asked", () => {
  const { heard, connections, a, b, c } = two();
  for (const one of [a, b]) connections.take(one, false);
  assert.ok(!connections.take(c, false));
  connections.free(c);
  connections.free(a);
  assert.deepEqual(heard, []);
});

Deno.test("MirrorConnections: what has rested for long is given up; 0 is any number, Infinity for ever", () => {
  const { settings, heard, connections, a, b, c } = two();
  connections.take(a, false);
  connections.take(b, false);
  connections.rest(a, 0);
  connections.rest(b, 500_000);
  connections.look(999_999);
  assert.deepEqual(heard, []);
  connections.look(1_000_000);
  assert.deepEqual(heard, ["a gives up"]);
  settings.idleTimeoutMs = Infinity;
  connections.look(1e12);
  assert.deepEqual(heard.splice(0), ["a gives up"]);
  connections.work(b);
  connections.take(a, false);
  assert.ok(!connections.take(c, false));
  settings.maxConnections = 0;
  connections.look(1e12);
  assert.deepEqual(heard, ["c asks again"]);
});

Deno.test("MirrorConnections: what rests for good is not counted, and nobody waits for it", () => {
  const { heard, connections, a, b, c, d } = two();
  for (const one of [a, b]) connections.take(one, false);
  assert.ok(!connections.take(c, false));
  connections.stay(a);
  assert.deepEqual(heard.splice(0), ["c asks again"]);
  connections.work(a);
  connections.stay(b);
  connections.look(1e12);
  assert.ok(!connections.take(d, false), "a and c");
  assert.deepEqual(heard, []);
});

Deno.test("MirrorConnections: of many who let go at once, as of a mirror that is down, each is told", () => {
  const settings = { maxConnections: 1, idleTimeoutMs: Infinity };
  const connections = new MirrorConnections(() => settings);
  const first: ConnectionHolder = { giveUp() {}, connectionFree() {} };
  connections.take(first, false);
  let told = 0;
  for (let i = 0; i < 50_000; i++) {
    const holder: ConnectionHolder = {
      giveUp() {},
      connectionFree() {
        told++;
        assert.ok(connections.take(holder, false));
        connections.free(holder);
      },
    };
    assert.ok(!connections.take(holder, false));
  }
  connections.free(first);
  assert.equal(told, 50_000);
});

Deno.test("MirrorConnections: a connection that stays, and works now and then, gives no room", () => {
  const { heard, connections, a, b, c, d } = two();
  for (const one of [a, b]) connections.take(one, false);
  assert.ok(!connections.take(c, true));
  for (let us = 1; us <= 3 && heard.length === 0; us++) {
    connections.work(d);
    connections.stay(d);
    connections.look(us);
  }
  assert.deepEqual(heard, ["c asks again"]);
});
