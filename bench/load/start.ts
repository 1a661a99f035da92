/**
 * From the start of the program to the first accepted connection, from source
 * with a warm cache and, if there is one, packaged; in interleaved rounds.
 *
 * ```sh
 * deno task package
 * deno run -A bench/load/start.ts --rounds 10
 * ```
 *
 * @module
 */

import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { freePort } from "../../tests/support/proxy.ts";
import { table, writeSection } from "./results.ts";
import { HOST, median } from "./support.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "10" },
    packaged: {
      type: "string",
      default: fileURLToPath(
        new URL("../../dist/pgdog-mirror", import.meta.url),
      ),
    },
    write: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
const main = fileURLToPath(new URL("../../main.ts", import.meta.url));
const ways = [
  {
    way: "from source",
    command: [Deno.execPath(), "run", "--quiet", "-A", main],
  },
  { way: "packaged", command: [values.packaged] },
].filter(({ way, command }) => {
  const there = way === "from source" || exists(command[0] ?? "");
  if (!there) console.error(`${command[0]} is missing: deno task package`);
  return there;
});

const folder = await Deno.makeTempDir();
const times = ways.map((): number[] => []);
// One round more: the first warms the caches.
for (let round = 0; round <= rounds; round++) {
  for (const [i, { command }] of ways.entries()) {
    const ms = await start(command);
    if (round > 0) times[i]?.push(ms);
  }
}
await Deno.remove(folder, { recursive: true });
const rows = ways.map(({ way }, i) => ({
  way,
  "median, ms": Math.round(median(times[i] ?? [])),
  "fastest, ms": Math.round(Math.min(...times[i] ?? [])),
  "slowest, ms": Math.round(Math.max(...times[i] ?? [])),
}));
console.table(rows);
if (values.write) {
  await writeSection(
    "Start",
    `deno task package && deno run -A bench/load/start.ts --rounds ${rounds} --write`,
    `From the start of the process to the first accepted connection.\n\n${
      table(rows)
    }`,
  );
}

/** Milliseconds from the start of the process until a client's connect succeeds. */
async function start(command: readonly string[]): Promise<number> {
  const port = freePort();
  const config = `${folder}/pgdog.toml`;
  await Deno.writeTextFile(
    config,
    `[general]
host = "${HOST}"
port = ${port}
log_level = "error"
[[databases]]
name = "postgres"
host = "${HOST}"
port = 1
[[databases]]
name = "mirror"
host = "${HOST}"
port = 2
user = "postgres"
[[mirroring]]
source_db = "postgres"
destination_db = "mirror"
`,
  );
  const [program, ...args] = command as [string, ...string[]];
  const began = performance.now();
  const child = new Deno.Command(program, {
    args: [...args, "run", "--config", config],
    stderr: "null",
  }).spawn();
  let exited = false;
  const status = child.status.then(() => exited = true);
  try {
    for (;;) {
      try {
        (await Deno.connect({ hostname: HOST, port })).close();
        return performance.now() - began;
      } catch (error) {
        if (exited) {
          throw new Error(`${command.join(" ")} ended`, { cause: error });
        }
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    }
  } finally {
    if (!exited) child.kill("SIGKILL");
    await status;
  }
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
