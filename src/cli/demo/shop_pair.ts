import { type Cluster, type ClusterOptions, startCluster } from "./cluster.ts";
import { loadShop } from "./schema.ts";

/** Two servers, both with the shop in database "shop". */
export interface ShopPair extends AsyncDisposable {
  /** PostgreSQL 15. */
  readonly primary: Cluster;
  /** PostgreSQL 18. */
  readonly mirror: Cluster;
}

/** Starts both at once; if one fails, the other is stopped. */
export async function startShopPair(
  options: Omit<ClusterOptions, "version" | "port"> = {},
): Promise<ShopPair> {
  await using started = new AsyncDisposableStack();
  const results = await Promise.allSettled(
    (["15", "18"] as const).map(async (version) => {
      const cluster = started.use(await startCluster({ ...options, version }));
      await loadShop((database) => cluster.url(database));
      return cluster;
    }),
  );
  const [primary, mirror] = results.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  }) as [Cluster, Cluster];
  const clusters = started.move();
  return {
    primary,
    mirror,
    [Symbol.asyncDispose]: () => clusters.disposeAsync(),
  };
}
