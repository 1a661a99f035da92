import { setTimeout as delay } from "node:timers/promises";
import postgres from "postgres";
import { seededRandom } from "../../../src/cli/demo/workload.ts";
import type { Client, Named, Shop, Step } from "./client.ts";
import { pick } from "./client.ts";
import type { Connection, Protocol } from "./connection.ts";
import { makerOf, type Way } from "./maker.ts";
import { connectNodePg } from "./node_pg.ts";
import { ORDERS } from "./orders.ts";
import { connectPostgresJs } from "./postgres_js.ts";
import { VISITS } from "./visits.ts";
import { WORK } from "./work.ts";

export interface TrafficOptions {
  readonly way: Way;
  readonly protocol: Protocol;
  readonly clients: number;
  /** Each client takes so many … */
  readonly stepsPerClient: number;
  /** … or as many as fit in this time. */
  readonly durationMs?: number;
  /** A client's pause between two steps, on average. Default 0. */
  readonly thinkMs?: number;
  /** Of the random choices. Default 1. */
  readonly seed?: number;
}

export interface TrafficResult {
  /** How often each step was taken, by its name. */
  readonly steps: Readonly<Record<string, number>>;
  /** Errors that no step expects. */
  readonly unexpected: readonly string[];
}

const STEPS = [...VISITS, ...ORDERS, ...WORK];
/** Each step as often as its weight says. */
const BY_WEIGHT = STEPS.flatMap((step) =>
  Array.from({ length: step.weight }, () => step)
);

/** Clients of the shop, at `url`; what it holds at the start is read on `server`. */
export async function runTraffic(
  url: string,
  server: string,
  options: TrafficOptions,
): Promise<TrafficResult> {
  const { clients, stepsPerClient, durationMs = Infinity } = options;
  const { thinkMs = 0 } = options;
  const shop = await openShop(server, options.way);
  const end = performance.now() + durationMs;
  const steps: Record<string, number> = {};
  const unexpected: string[] = [];
  await Promise.all(Array.from({ length: clients }, async (_, index) => {
    const client = await newClient(url, shop, index, options);
    for (let i = 0; i < stepsPerClient && performance.now() < end; i++) {
      const step: Step = pick(client, BY_WEIGHT);
      steps[step.name] = (steps[step.name] ?? 0) + 1;
      try {
        await step.run(client);
      } catch (error) {
        unexpected.push(`${step.name}: ${error}`);
      }
      // Half of it to one and a half.
      if (thinkMs > 0) await delay(thinkMs * (0.5 + client.random()));
    }
    await client.connection.end();
  }));
  return { steps, unexpected };
}

async function openShop(server: string, way: Way): Promise<Shop> {
  const sql = postgres(server, { max: 1, fetch_types: false });
  try {
    const customers = await sql<Named[]>`
      select id::text, email as name from customers order by email`;
    const products = await sql<Named[]>`
      select id::text, sku as name from products order by sku`;
    return { way, customers, products, orders: [] };
  } finally {
    await sql.end();
  }
}

async function newClient(
  url: string,
  shop: Shop,
  index: number,
  { way, protocol, seed = 1 }: TrafficOptions,
): Promise<Client> {
  const random = seededRandom(seed * 1_000_003 + index);
  const [customer] = shop.customers;
  if (customer === undefined) throw new Error("The shop has no customers");
  return {
    index,
    shop,
    connection: await connect(url, protocol),
    random,
    maker: makerOf(way, index, random),
    token: undefined,
    customer,
    order: undefined,
  };
}

async function connect(url: string, protocol: Protocol): Promise<Connection> {
  return protocol === "simple" || protocol === "extended"
    ? await connectNodePg(url, protocol)
    : connectPostgresJs(url, protocol);
}
