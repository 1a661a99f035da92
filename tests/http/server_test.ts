import assert from "node:assert/strict";
import {
  type Health,
  type HttpOptions,
  type HttpServer,
  startHttp,
} from "../../src/http/mod.ts";

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
