/** The parts of an ExportMetricsServiceRequest in OTLP/JSON that are read here. */
export interface Payload {
  readonly resourceMetrics: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeMetrics: readonly {
      readonly metrics: readonly OtlpMetric[];
    }[];
  }[];
}

export interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue: string };
}

export interface OtlpMetric {
  readonly name: string;
  readonly description: string;
  readonly unit: string;
  readonly sum?: {
    readonly aggregationTemporality: number;
    readonly isMonotonic: boolean;
    readonly dataPoints: readonly Point[];
  };
  readonly gauge?: { readonly dataPoints: readonly Point[] };
  readonly histogram?: {
    readonly aggregationTemporality: number;
    readonly dataPoints: readonly (Point & {
      readonly explicitBounds: readonly number[];
      readonly bucketCounts: readonly number[];
      readonly sum: number;
      readonly count: number;
    })[];
  };
}

interface Point {
  readonly attributes: readonly Attribute[];
  readonly startTimeUnixNano: string;
  readonly timeUnixNano: string;
  readonly asDouble?: number;
}

/** An HTTP server that takes exports, and answers as it is told. */
export class Collector implements AsyncDisposable {
  readonly payloads: Payload[] = [];
  readonly headers: Headers[] = [];
  /** Answers of other statuses are counted here only. */
  requests = 0;
  /** 0: never an answer. */
  status = 200;
  readonly endpoint: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #never = Promise.withResolvers<void>();

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      async (request) => {
        const text = await request.text();
        this.requests++;
        if (this.status === 0) await this.#never.promise;
        if (this.status === 200) {
          this.headers.push(request.headers);
          this.payloads.push(JSON.parse(text) as Payload);
        }
        return new Response("{}", { status: this.status || 503 });
      },
    );
    this.endpoint = `http://127.0.0.1:${this.#server.addr.port}/v1/metrics`;
  }

  /** All metrics of the last export, by name. */
  get last(): ReadonlyMap<string, OtlpMetric> {
    const metrics = (this.payloads.at(-1)?.resourceMetrics ?? [])
      .flatMap(({ scopeMetrics }) => scopeMetrics)
      .flatMap(({ metrics }) => metrics);
    return new Map(metrics.map((metric) => [metric.name, metric]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#never.resolve();
    await this.#server.shutdown();
  }
}

/** Attributes as a record. */
export function record(
  attributes: readonly Attribute[],
): Record<string, string> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue]),
  );
}
