/**
 * `deno task package`: the program as one executable file for this machine,
 * with the Deno that runs this as its runtime.
 *
 * It holds the sources as they are, and the npm packages that they import: so
 * workers, `import.meta.url` and WASM files work as from a checkout, and the
 * runtime goes on to load a user's plugin in TypeScript.
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import manifest from "../deno.json" with { type: "json" };
import { readModules } from "./module_graph.ts";
import { writeSingleFile } from "./single_file.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PARTS = ["main.ts", "src", "plugins"];
/** What a package carries that is of no use at run time. */
const UNUSED_FILES = /\.(map|md|d\.[cm]?ts)$/;

/**
 * Writes the executable file.
 *
 * @throws {Error} on another system than Linux.
 */
export async function packageProgram(output: string): Promise<void> {
  if (Deno.build.os !== "linux") {
    throw new Error(`PgDog Mirror runs on Linux, this is ${Deno.build.os}`);
  }
  const folder = await Deno.makeTempDir({ prefix: "pgdog-mirror-package-" });
  try {
    const app = join(folder, "app");
    await Deno.mkdir(app);
    for (const part of PARTS) await copy(join(ROOT, part), join(app, part));
    await installPackages(app);
    await Deno.copyFile(Deno.execPath(), join(folder, "pgdog-mirror"));
    const { version } = manifest;
    await writeSingleFile({ folder, output, version });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Makes `node_modules` with the versions of deno.lock. */
async function installPackages(app: string): Promise<void> {
  const config = {
    version: manifest.version,
    imports: await usedImports(),
    nodeModulesDir: "manual",
  };
  await Deno.writeTextFile(join(app, "deno.json"), JSON.stringify(config));
  await copy(join(ROOT, "deno.lock"), join(app, "deno.lock"));
  // Hoisted has no links in it.
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "install",
      "--prod",
      "--skip-types",
      "--node-modules-linker=hoisted",
    ],
    cwd: app,
    env: { NO_COLOR: "1" },
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  await Deno.remove(join(app, "deno.lock"));
  await prune(join(app, "node_modules"));
}

/** The lines of deno.json's `imports` that the program imports. */
async function usedImports(): Promise<Record<string, string>> {
  const modules = await readModules(ROOT, PARTS);
  const specifiers = modules.flatMap(({ imports }) =>
    imports.filter(({ typeOnly }) => !typeOnly)
      .map(({ specifier }) => specifier)
  );
  const isUsed = (name: string) =>
    specifiers.some((specifier) =>
      specifier === name || specifier.startsWith(`${name}/`)
    );
  return Object.fromEntries(
    Object.entries(manifest.imports).filter(([name]) => isUsed(name)),
  );
}

async function copy(from: string, to: string): Promise<void> {
  if (!(await Deno.stat(from)).isDirectory) return Deno.copyFile(from, to);
  await Deno.mkdir(to, { recursive: true });
  for await (const { name } of Deno.readDir(from)) {
    await copy(join(from, name), join(to, name));
  }
}

async function prune(folder: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) await prune(path);
    else if (UNUSED_FILES.test(name)) await Deno.remove(path);
  }
}

if (import.meta.main) {
  const output = join(ROOT, "dist", "pgdog-mirror");
  await packageProgram(output);
  const { size } = await Deno.stat(output);
  console.log(`${output}: ${(size / 1e6).toFixed(1)} MB`);
}
