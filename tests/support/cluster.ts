import { startShopPair } from "../../src/cli/demo/shop_pair.ts";

export {
  type Cluster,
  type ClusterOptions,
  startCluster,
} from "../../src/cli/demo/cluster.ts";
export { SHOP_DATABASE, tableChecksums } from "../../src/cli/demo/schema.ts";
export type { ShopPair } from "../../src/cli/demo/shop_pair.ts";

/** PostgreSQL 15 as primary and 18 as mirror, both with the shop's schema and data. */
export const pair = startShopPair;
