import { createHash } from "node:crypto";
import { dirname, join } from "node:path";

/** What {@linkcode writeSingleFile} makes. */
export interface SingleFileOptions {
  /** Folder with the runtime `pgdog-mirror`, and `app/` with `main.ts` and `deno.json`. No links. */
  readonly folder: string;
  readonly output: string;
  readonly version: string;
}

const LAUNCHER = new URL("./launcher.sh", import.meta.url);

/**
 * Writes an executable file: the launcher, and behind it a tar archive of a
 * folder, compressed with what every machine has. The same folder gives the
 * same file.
 *
 * @throws {Error} if `tar` is not GNU tar, or fails.
 */
export async function writeSingleFile(
  options: SingleFileOptions,
): Promise<void> {
  const { folder, output, version } = options;
  await Deno.mkdir(dirname(output), { recursive: true });
  const work = await Deno.makeTempDir({ dir: dirname(output), prefix: ".new" });
  try {
    const archive = join(work, "archive");
    const key = await writeArchive(folder, archive);
    const file = join(work, "file");
    const launcher = fillIn(await Deno.readTextFile(LAUNCHER), {
      VERSION: version,
      PLATFORM: `${Deno.build.os} ${Deno.build.arch}`,
      KEY: key,
      ENTRIES: String(countEntries(folder)),
    });
    await Deno.writeTextFile(file, launcher);
    using content = await Deno.open(archive);
    await Deno.writeFile(file, content.readable, { append: true });
    await Deno.chmod(file, 0o755);
    await Deno.rename(file, output);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** Returns a key for its content. */
async function writeArchive(folder: string, path: string): Promise<string> {
  const tar = new Deno.Command("tar", {
    args: [
      "--create",
      "--format=ustar",
      "--sort=name",
      "--mtime=@0",
      "--owner=0",
      "--group=0",
      "--numeric-owner",
      "--mode=u+rwX,go=",
      `--directory=${folder}`,
      ".",
    ],
    stdout: "piped",
  }).spawn();
  const hash = createHash("sha256");
  const compressed = tar.stdout
    .pipeThrough(new CompressionStream("gzip"))
    .pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          hash.update(chunk);
          controller.enqueue(chunk);
        },
      }),
    );
  await Deno.writeFile(path, compressed);
  const { code } = await tar.status;
  if (code !== 0) throw new Error(`tar has failed with exit code ${code}`);
  return hash.digest("hex").slice(0, 32);
}

/** Files and folders, `folder` itself too: as many as `find` lists. */
function countEntries(folder: string): number {
  let count = 1;
  for (const { name, isDirectory, isSymlink } of Deno.readDirSync(folder)) {
    const path = join(folder, name);
    // The launcher looks at modes, and a link's says nothing.
    if (isSymlink) throw new Error(`"${path}" is a link`);
    count += isDirectory ? countEntries(path) : 1;
  }
  return count;
}

function fillIn(
  template: string,
  values: Readonly<Record<string, string>>,
): string {
  const archiveLine = template.split("\n").length;
  return Object.entries({ ...values, ARCHIVE_LINE: String(archiveLine) })
    .reduce(
      (text, [name, value]) => text.replaceAll(`@${name}@`, value),
      template,
    );
}
