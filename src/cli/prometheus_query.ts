import { z } from "zod";

/** One element of an instant vector; its name is the label `__name__`. */
export interface PrometheusSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries */
const answerSchema = z.union([
  z.object({
    status: z.literal("success"),
    data: z.object({
      resultType: z.literal("vector"),
      result: z.array(z.object({
        metric: z.record(z.string(), z.string()),
        value: z.tuple([z.number(), z.string()]),
      })),
    }),
  }),
  z.object({ status: z.literal("error"), error: z.string() }),
]);

const TIMEOUT_MS = 30_000;

/**
 * Evaluates an expression at the server's present moment.
 *
 * @param base the server's address, with the path that it is served under; user
 * and password in it become basic authentication.
 * @throws {Error} saying who could not be asked, and why.
 */
export async function queryPrometheus(
  base: string,
  promql: string,
): Promise<readonly PrometheusSample[]> {
  const url = new URL("api/v1/query", base.replace(/\/*$/, "/"));
  const headers = takeCredentials(url);
  let text: string;
  try {
    const response = await fetch(url, {
      method: "POST",
      headers,
      body: new URLSearchParams({ query: promql }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    text = await response.text();
  } catch (error) {
    throw new Error(`Cannot ask ${url.href}: ${(error as Error).message}`);
  }
  const answer = answerSchema.safeParse(parseJson(text));
  if (!answer.success) {
    throw new Error(`${url.href} does not answer as Prometheus does`);
  }
  if (answer.data.status === "error") {
    throw new Error(`${url.href} refused the query: ${answer.data.error}`);
  }
  return answer.data.data.result.map(({ metric, value: [, value] }) => ({
    labels: metric,
    value: Number(value.replace("Inf", "Infinity")),
  }));
}

/** `fetch` refuses an address with a password, and an error's text must not have it. */
function takeCredentials(url: URL): HeadersInit {
  const { username, password } = url;
  if (username === "" && password === "") return {};
  url.username = url.password = "";
  const pair = [username, password].map(decodeURIComponent).join(":");
  const base64 = new TextEncoder().encode(pair).toBase64();
  return { authorization: `Basic ${base64}` };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
