/**
 * A process with a server of its own, for tests that kill it or run it as
 * another user. Says what it started, and ends when standard input does.
 */
import { startCluster } from "../../../src/cli/demo/cluster.ts";

await using cluster = await startCluster({ version: "15" });
const { pid, dataDir, version } = cluster;
console.log(JSON.stringify({ pid, dataDir, version }));
await Deno.stdin.read(new Uint8Array(1));
