import type { Connection, Querier, Row } from "./connection.ts";
import type { Maker, Way } from "./maker.ts";
import { insertReturning, type NewRow } from "./statement.ts";

/** What all clients of a run share. */
export interface Shop {
  readonly way: Way;
  readonly customers: readonly Named[];
  readonly products: readonly Named[];
  /** The newest orders, placed by whichever client. */
  readonly orders: PlacedOrder[];
}

/** A row of the start. */
export interface Named {
  readonly id: string;
  /** What is unique about it. */
  readonly name: string;
}

export interface PlacedOrder {
  readonly id: string;
  readonly client: number;
}

/** A session of the shop, which also takes jobs. */
export interface Client {
  readonly index: number;
  readonly shop: Shop;
  readonly connection: Connection;
  readonly random: () => number;
  readonly maker: Maker;
  /** Of the session in the shop, once logged in. */
  token: string | undefined;
  customer: Named;
  /** The order placed last. */
  order: string | undefined;
}

/** A step that a client takes, and its share. */
export interface Step {
  readonly name: string;
  readonly weight: number;
  run(client: Client): Promise<void>;
}

/** Inserts a row, and gives its columns with what the server made. */
export async function create(
  querier: Querier,
  table: string,
  row: NewRow,
): Promise<Row> {
  const [made] = await querier.query(insertReturning(table, row));
  return { ...row, ...made };
}

export function pick<T>(client: Client, from: readonly T[]): T {
  const found = from[Math.floor(client.random() * from.length)];
  if (found === undefined) throw new RangeError("Nothing to pick from");
  return found;
}

export function chance(client: Client, share: number): boolean {
  return client.random() < share;
}
