import assert from "node:assert/strict";
import { queryPrometheus } from "../../src/cli/prometheus_query.ts";

/** Asks a server that gives this answer. @returns what it was asked, and what came of it. */
async function ask(
  answer: { readonly status?: number; readonly body: string },
  path = "/",
  credentials = "",
) {
  const asked: { url: string; authorization: string | null; body: string }[] =
    [];
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      const { pathname } = new URL(request.url);
      asked.push({
        url: pathname,
        authorization: request.headers.get("authorization"),
        body: await request.text(),
      });
      return new Response(answer.body, { status: answer.status ?? 200 });
    },
  );
  const base = `http://${credentials}127.0.0.1:${server.addr.port}${path}`;
  const result = await queryPrometheus(base, 'up{job="x"} == 1').then(
    (samples) => ({ samples, error: "" }),
    (error: Error) => ({ samples: [], error: error.message }),
  );
  return { asked, ...result };
}

const vector = (...values: readonly string[]) =>
  JSON.stringify({
    status: "success",
    data: {
      resultType: "vector",
      result: values.map((value) => ({
        metric: { __name__: "up", job: "x" },
        value: [1.5, value],
      })),
    },
  });

Deno.test("queryPrometheus: the expression is posted, below the server's own path", async () => {
  const { asked, samples } = await ask({ body: vector("1") }, "/prom");
  assert.deepEqual(asked, [{
    url: "/prom/api/v1/query",
    authorization: null,
    body: "query=up%7Bjob%3D%22x%22%7D+%3D%3D+1",
  }]);
  assert.deepEqual(samples, [
    { labels: { __name__: "up", job: "x" }, value: 1 },
  ]);
});

Deno.test("queryPrometheus: numbers that are none in JSON are read", async () => {
  const { samples } = await ask({ body: vector("NaN", "+Inf", "-Inf", "1e3") });
  assert.deepEqual(
    samples.map(({ value }) => value),
    [NaN, Infinity, -Infinity, 1_000],
  );
});

Deno.test("queryPrometheus: a password goes into a header, and into no error", async () => {
  const { asked, error } = await ask(
    { status: 401, body: "no" },
    "/",
    "ann:p%40ss@",
  );
  assert.equal(asked[0]?.authorization, `Basic ${btoa("ann:p@ss")}`);
  assert.match(error, /^http:\/\/127\.0\.0\.1:\d+\/api\/v1\/query does not/);
});

Deno.test("queryPrometheus: a refusal has the server's words", async () => {
  const body = JSON.stringify({
    status: "error",
    errorType: "bad_data",
    error: "parse error",
  });
  const { error } = await ask({ status: 400, body });
  assert.match(error, /refused the query: parse error$/);
});
