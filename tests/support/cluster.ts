export { type Cluster, startCluster } from "../../src/cli/demo/cluster.ts";
