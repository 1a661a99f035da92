import { z } from "zod";

/** `[plugins.otlp]`; what an OpenTelemetry Collector listens on by default is `http://HOST:4318/v1/metrics`. */
const schema = z.strictObject({
  /** The whole URL that is posted to. */
  endpoint: z.url({ protocol: /^https?$/ }),
  interval_ms: z.int().min(100).max(3_600_000).default(60_000),
  /** Time for one export, retries included. */
  timeout_ms: z.int().min(10).default(10_000),
  /** Sent with every export, e.g. an API key. They reach no log. */
  headers: z.record(z.string().regex(/^[\w-]+$/), z.string()).default({}),
}).refine(
  ({ timeout_ms, interval_ms }) => timeout_ms <= interval_ms,
  { path: ["timeout_ms"], message: "must not be above interval_ms" },
);

export type OtlpConfig = z.output<typeof schema>;

/** @returns undefined without a table: the plugin is off. @throws {TypeError} */
export function parseOtlpConfig(raw: unknown): OtlpConfig | undefined {
  if (raw === undefined) return undefined;
  const result = schema.safeParse(raw);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new TypeError(
    `[plugins.otlp] ${issue?.path.join(".")} ${issue?.message}`,
  );
}
