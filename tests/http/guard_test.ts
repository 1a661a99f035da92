import assert from "node:assert/strict";
import { startHttp } from "../../src/http/mod.ts";

const TOKEN = "correct-horse-battery";
const silent = { debug() {}, info() {}, warn() {}, error() {} };

async function withServer(
  options: { readonly token?: string; readonly host?: string },
  run: (url: string, port: number) => Promise<void>,
): Promise<void> {
  const server = startHttp({
    host: "127.0.0.1",
    port: 0,
    routes: [{ path: "/", handle: () => new Response("page") }, {
      path: "/live",
      handle: () => new Response("live"),
    }],
    health: () => ({ live: true, ready: true }),
    log: silent,
    ...options,
  });
  try {
    await run(`http://127.0.0.1:${server.port}`, server.port);
  } finally {
    await server.close();
  }
}

/** Without following a redirect: the status, and headers that matter here. */
async function get(url: string, headers: Record<string, string> = {}) {
  const response = await fetch(url, { headers, redirect: "manual" });
  return {
    status: response.status,
    body: await response.text(),
    headers: response.headers,
  };
}

/** A request by hand: fetch does not let a caller choose the Host header. */
async function statusOfHost(port: number, host: string, path = "/") {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
  ));
  const text = await new Response(connection.readable).text();
  return Number(text.match(/^HTTP\/1\.1 (\d+)/)?.[1]);
}

Deno.test("guard: with a token everything but the health routes asks for it", async () => {
  await withServer({ token: TOKEN }, async (url) => {
    for (const path of ["/", "/live", "/nowhere"]) {
      const { status, headers, body } = await get(url + path);
      assert.equal(status, 401, path);
      assert.equal(
        headers.get("www-authenticate"),
        'Bearer realm="pgdog-mirror"',
      );
      assert.doesNotMatch(body, new RegExp(TOKEN));
    }
    for (const path of ["/healthz", "/readyz"]) {
      assert.equal((await get(url + path)).status, 200, path);
    }
  });
});

Deno.test("guard: the token as bearer is enough, any other is not", async () => {
  await withServer({ token: TOKEN }, async (url) => {
    const status = async (authorization: string) =>
      (await get(`${url}/live`, { authorization })).status;
    assert.equal(await status(`Bearer ${TOKEN}`), 200);
    assert.equal(await status(`bearer  ${TOKEN}`), 200);
    for (
      const wrong of [
        `Bearer ${TOKEN}x`,
        `Bearer ${TOKEN.slice(0, -1)}`,
        "Bearer ",
        "Bearer",
        `Basic ${TOKEN}`,
        TOKEN,
        "",
      ]
    ) assert.equal(await status(wrong), 401, wrong);
  });
});

Deno.test("guard: ?token= is answered with a cookie and the address without it", async () => {
  await withServer({ token: TOKEN }, async (url) => {
    const first = await get(`${url}/live?since=5&token=${TOKEN}`);
    assert.equal(first.status, 303);
    assert.equal(first.headers.get("location"), "/live?since=5");
    const cookie = first.headers.get("set-cookie") ?? "";
    assert.match(
      cookie,
      /^pgdog_mirror_[0-9a-f]{8}=[0-9a-f]{64}; Path=\/; HttpOnly; SameSite=Strict$/,
    );
    assert.doesNotMatch(cookie, new RegExp(TOKEN), "the token itself is kept");
    const kept = cookie.split(";")[0] ?? "";
    const again = await get(`${url}/live`, { cookie: `a=b; ${kept}; c=d` });
    assert.deepEqual([again.status, again.body], [200, "live"]);
    const [name] = kept.split("=");
    for (const wrong of [`${name}=`, `${name}=${TOKEN}`, `x${kept}`]) {
      assert.equal((await get(url, { cookie: wrong })).status, 401, wrong);
    }
    assert.equal((await get(`${url}/?token=wrong`)).status, 401);
    // No way to another server.
    const elsewhere = await get(`${url}//example.com/?token=${TOKEN}`);
    assert.equal(elsewhere.headers.get("location"), "/example.com/");
  });
});

Deno.test("guard: a browser without the cookie is told how, and the address can't inject", async () => {
  await withServer({ token: TOKEN }, async (url) => {
    const { status, body, headers } = await get(
      `${url}/?a="><script>alert(1)</script>`,
      { accept: "text/html" },
    );
    assert.equal(status, 401);
    assert.match(headers.get("content-type") ?? "", /^text\/html/);
    assert.match(
      headers.get("content-security-policy") ?? "",
      /default-src 'none'/,
    );
    assert.doesNotMatch(body, /<script/);
    assert.match(body, /http_token/);
  });
});

Deno.test("guard: without a token, on loopback, only the names of this machine are answered", async () => {
  await withServer({}, async (_url, port) => {
    for (
      const host of [
        "localhost",
        "127.0.0.1",
        `127.0.0.1:${port}`,
        "127.8.9.10",
        "[::1]",
        `mirror.localhost:${port}`,
      ]
    ) assert.equal(await statusOfHost(port, host), 200, host);
    for (
      const host of [
        "attacker.example",
        `attacker.example:${port}`,
        "127.0.0.1.attacker.example",
        "localhost.attacker.example",
        "10.0.0.5",
      ]
    ) assert.equal(await statusOfHost(port, host), 421, host);
    assert.equal(await statusOfHost(port, "pod.internal", "/healthz"), 200);
  });
});

Deno.test("guard: any name is answered with a token, or on another address", async () => {
  await withServer({ token: TOKEN }, async (_url, port) => {
    assert.equal(await statusOfHost(port, "mirror.example"), 401);
    assert.equal(
      await statusOfHost(port, "mirror.example", `/?token=${TOKEN}`),
      303,
    );
  });
  await withServer({ host: "0.0.0.0" }, async (_url, port) => {
    assert.equal(await statusOfHost(port, "mirror.example"), 200);
  });
});
