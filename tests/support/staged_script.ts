import assert from "node:assert/strict";
import { PYTHON } from "./programs.ts";

/**
 * Runs a script of Python's in two stages: between them it writes a line and
 * reads one.
 *
 * @param path from this folder.
 * @param between what happens when it has done its first stage.
 */
export async function stagedScript(
  path: string,
  port: number,
  between: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const child = new Deno.Command(PYTHON, {
    args: [new URL(path, import.meta.url).pathname],
    env: {
      PGHOST: "127.0.0.1",
      PGPORT: `${port}`,
      PGUSER: "postgres",
      PGDATABASE: "postgres",
      PGSSLMODE: "disable",
    },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const errors = new Response(child.stderr).text();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  if (value !== undefined) await between();
  const writer = child.stdin.getWriter();
  // A script that has failed reads no more: its words tell why.
  await writer.write(new TextEncoder().encode("go on\n")).catch(() => {});
  await writer.close().catch(() => {});
  const { code } = await child.status;
  await reader.cancel();
  assert.equal(code, 0, await errors);
}
