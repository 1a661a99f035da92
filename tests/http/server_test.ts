import assert from "node:assert/strict";
import {
  type Health,
  type HttpOptions,
  type HttpServer,
  startHttp,
} from "../../src/http/mod.ts";
import { waitFor } from "../support/wait.ts";

/** Bound of the server (src/http/server.ts). */
const MAX_CONNECTIONS = 64;

interface Errors {
  readonly message: string;
  readonly properties: Readonly<Record<string, unknown>> | undefined;
}

function start(
  options: Partial<HttpOptions> = {},
): { server: HttpServer; url: string; errors: Errors[] } {
  const errors: Errors[] = [];
  const server = startHttp({
    host: "127.0.0.1",
    port: 0,
    routes: [],
    health: () => ({ live: true, ready: true }),
    log: {
      debug() {},
      info() {},
      warn() {},
      error: (message, properties) => errors.push({ message, properties }),
    },
    ...options,
  });
  return { server, url: `http://127.0.0.1:${server.port}`, errors };
}

async function get(
  url: string,
  init: RequestInit = {},
): Promise<{ status: number; body: string; headers: Headers }> {
  const response = await fetch(url, init);
  const body = await response.text();
  return { status: response.status, body, headers: response.headers };
}

Deno.test("startHttp: serves a route by its exact path, query aside, with its own headers", async () => {
  const { server, url } = start({
    routes: [{
      path: "/metrics",
      handle: (request) =>
        new Response(`metrics of ${new URL(request.url).search}`, {
          headers: { "content-type": "application/openmetrics-text" },
        }),
    }],
  });
  const { status, body, headers } = await get(`${url}/metrics?name=x`);
  assert.equal(status, 200);
  assert.equal(body, "metrics of ?name=x");
  assert.equal(headers.get("content-type"), "application/openmetrics-text");
  assert.equal(headers.get("x-content-type-options"), "nosniff");
  assert.equal(headers.get("cache-control"), "no-store");
  assert.equal((await get(`${url}/metrics/`)).status, 404);
  await server.close();
});

Deno.test("startHttp: HEAD gives status and headers without a body", async () => {
  const { server, url } = start({
    routes: [{
      path: "/",
      handle: () => new Response("page", { status: 203 }),
    }],
  });
  const { status, body, headers } = await get(url, { method: "HEAD" });
  assert.deepEqual([status, body], [203, ""]);
  assert.equal(headers.get("x-content-type-options"), "nosniff");
  await server.close();
});

Deno.test("startHttp: another method is 405 and names those that are allowed", async () => {
  const { server, url } = start();
  for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
    const { status, headers } = await get(`${url}/healthz`, { method });
    assert.equal(status, 405, method);
    assert.equal(headers.get("allow"), "GET, HEAD");
  }
  await server.close();
});

Deno.test("startHttp: an unknown path is 404 and lists the routes", async () => {
  const { server, url } = start({
    routes: [{ path: "/metrics", handle: () => new Response() }],
  });
  const { status, body, headers } = await get(`${url}/metricz`);
  assert.equal(status, 404);
  assert.equal(body, "Not found. There is:\n/healthz\n/metrics\n/readyz\n");
  assert.equal(headers.get("content-type"), "text/plain; charset=utf-8");
  assert.equal(headers.get("x-content-type-options"), "nosniff");
  await server.close();
});

Deno.test("startHttp: a route that throws, rejects or gives nothing is 500, logged, and fenced", async () => {
  const { server, url, errors } = start({
    routes: [
      {
        path: "/throws",
        handle: () => {
          throw new Error("secret detail");
        },
      },
      { path: "/rejects", handle: () => Promise.reject(new Error("late")) },
      { path: "/nothing", handle: () => undefined as unknown as Response },
    ],
  });
  for (const path of ["/throws", "/rejects", "/nothing"]) {
    const { status, body } = await get(url + path);
    assert.equal(status, 500, path);
    assert.ok(!body.includes("secret detail"));
  }
  assert.deepEqual(errors.map(({ properties }) => properties?.path), [
    "/throws",
    "/rejects",
    "/nothing",
  ]);
  assert.equal((await get(`${url}/healthz`)).status, 200);
  await server.close();
});

Deno.test("startHttp: /healthz and /readyz tell the proxy's own health, with the reason", async () => {
  let health: Health = { live: true, ready: true };
  const { server, url } = start({ health: () => health });
  const both = async () => [
    await get(`${url}/healthz`).then(({ status, body }) => [status, body]),
    await get(`${url}/readyz`).then(({ status, body }) => [status, body]),
  ];
  assert.deepEqual(await both(), [[200, "live\n"], [200, "ready\n"]]);
  health = { live: true, ready: false, reason: "draining" };
  assert.deepEqual(await both(), [
    [200, "live\n"],
    [503, "not ready: draining\n"],
  ]);
  health = { live: false, ready: true, reason: "proxy worker 1 ended" };
  assert.deepEqual(await both(), [
    [503, "not live: proxy worker 1 ended\n"],
    [503, "not ready: proxy worker 1 ended\n"],
  ]);
  await server.close();
});

Deno.test("startHttp: two routes of one path, a path without '/', and a taken port stop the start", async () => {
  const route = (path: string) => ({ path, handle: () => new Response() });
  assert.throws(() => start({ routes: [route("/readyz")] }), TypeError);
  assert.throws(() => start({ routes: [route("x")] }), TypeError);
  const { server } = start();
  assert.throws(() => start({ port: server.port }), Deno.errors.AddrInUse);
  await server.close();
  await server.close();
});

Deno.test("startHttp: close lets a request in progress end", async () => {
  const entered = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  const { server, url } = start({
    routes: [
      {
        path: "/slow",
        handle: async () => {
          entered.resolve();
          await finish.promise;
          return new Response("done");
        },
      },
    ],
  });
  const reply = get(`${url}/slow`);
  await entered.promise;
  const closed = server.close();
  finish.resolve();
  assert.equal((await reply).body, "done");
  await closed;
});

Deno.test("startHttp: close gives up on a request that does not end", async () => {
  const entered = Promise.withResolvers<void>();
  const { server, url } = start({
    closeTimeoutMs: 20,
    routes: [{
      path: "/never",
      handle: () => {
        entered.resolve();
        return new Promise<Response>(() => {});
      },
    }],
  });
  const reply = get(`${url}/never`);
  await entered.promise;
  await server.close();
  assert.equal((await reply).status, 503);
});

/** Everything that a raw connection gets, after it has sent `text`. */
async function raw(
  port: number,
  text: string,
  { halfClose = false } = {},
): Promise<string> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(new TextEncoder().encode(text));
  if (halfClose) await conn.closeWrite();
  return await rest(conn);
}

async function rest(conn: Deno.TcpConn): Promise<string> {
  let all = "";
  const buffer = new Uint8Array(65_536);
  const decoder = new TextDecoder();
  for (;;) {
    const count = await conn.read(buffer).catch(() => null); // reset is an end, too
    if (count === null) return all;
    all += decoder.decode(buffer.subarray(0, count));
  }
}

Deno.test("startHttp: silent connections keep nobody out, and have to go", async () => {
  const { server, url } = start({ requestMs: 2_000 });
  const silent = await Promise.all(
    Array.from(
      { length: 3 * MAX_CONNECTIONS },
      () => Deno.connect({ hostname: "127.0.0.1", port: server.port }),
    ),
  );
  let gone = 0;
  const ends = silent.map((conn) => rest(conn).then(() => gone++));
  assert.equal((await get(`${url}/healthz`)).status, 200);
  await waitFor("the oldest to make room", () => gone > MAX_CONNECTIONS, 5_000);
  await Promise.all(ends);
  for (const conn of silent) conn.close();
  await server.close();
});

Deno.test("startHttp: a request that never ends is not waited for", async () => {
  const { server } = start({ requestMs: 200 });
  using conn = await Deno.connect({
    hostname: "127.0.0.1",
    port: server.port,
  });
  const write = (text: string) => conn.write(new TextEncoder().encode(text));
  await write("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ");
  const trickle = setInterval(() => void write("x").catch(() => {}), 20);
  assert.equal(await rest(conn), "");
  clearInterval(trickle);
  await server.close();
});

Deno.test("startHttp: a client that takes no bytes of its response is given up", async () => {
  const cancelled = Promise.withResolvers<void>();
  const { server } = start({
    responseMs: 300,
    routes: [{
      path: "/endless",
      handle: () =>
        new Response(
          new ReadableStream({
            pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
            cancel: () => cancelled.resolve(),
          }),
        ),
    }],
  });
  using conn = await Deno.connect({
    hostname: "127.0.0.1",
    port: server.port,
  });
  await conn.write(
    new TextEncoder().encode(
      "GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ),
  );
  await cancelled.promise;
  await server.close();
});

Deno.test("startHttp: beyond the bound of requests in progress a connection is closed", async () => {
  const finish = Promise.withResolvers<void>();
  let inside = 0;
  const full = Promise.withResolvers<void>();
  const { server, url } = start({
    routes: [{
      path: "/slow",
      handle: async () => {
        if (++inside === MAX_CONNECTIONS) full.resolve();
        await finish.promise;
        return new Response("done");
      },
    }],
  });
  const replies = Array.from(
    { length: MAX_CONNECTIONS },
    () => get(`${url}/slow`),
  );
  await full.promise;
  assert.equal(await raw(server.port, "GET /healthz HTTP/1.1\r\n\r\n"), "");
  finish.resolve();
  const bodies = (await Promise.all(replies)).map(({ body }) => body);
  assert.deepEqual(new Set(bodies), new Set(["done"]));
  assert.equal((await get(`${url}/healthz`)).status, 200);
  await server.close();
});

Deno.test("startHttp: one request for each connection, whatever the client's HTTP", async () => {
  const { server } = start();
  const host = "Host: localhost\r\n";
  const ask = (text: string, options = {}) => raw(server.port, text, options);
  const first = await ask(`GET /healthz HTTP/1.1\r\n${host}\r\n`);
  assert.match(first, /^HTTP\/1\.1 200 OK\r\n/);
  assert.match(first, /\r\nconnection: close\r\n/i);
  assert.match(await ask("GET /healthz HTTP/1.0\r\n\r\n"), /live\n$/);
  const half = await ask("GET /healthz HTTP/1.0\r\n\r\n", { halfClose: true });
  assert.match(half, /live\n$/);
  const absolute = `GET http://localhost/healthz HTTP/1.1\r\n${host}\r\n`;
  assert.match(await ask(absolute), / 200 OK\r\n/);
  const twice = `GET /healthz HTTP/1.1\r\n${host}\r\n`.repeat(2);
  assert.equal((await ask(twice)).match(/ 200 OK/g)?.length, 1);
  const huge = `GET / HTTP/1.1\r\n${host}X: ${"x".repeat(1e6)}\r\n\r\n`;
  assert.doesNotMatch(await ask(huge).catch(() => ""), / 200 OK/);
  assert.doesNotMatch(await ask("nonsense\r\n\r\n"), / 200 OK/);
  await server.close();
});

Deno.test("startHttp: of requests sent without waiting the first is answered, and no route runs for the others", async () => {
  let calls = 0;
  const finish = Promise.withResolvers<void>();
  const { server } = start({
    routes: [{
      path: "/slow",
      async handle() {
        calls++;
        await finish.promise;
        return new Response("done");
      },
    }],
  });
  const request = "GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const reply = raw(server.port, request.repeat(100));
  await waitFor("the route", () => calls > 0, 10_000);
  finish.resolve();
  assert.equal((await reply).match(/ 200 OK/g)?.length, 1);
  assert.equal(calls, 1);
  await server.close();
});
