import { join } from "node:path";
import type { ServerUser } from "./server_user.ts";

export interface CopyOptions {
  /** Who gets the copy. Default: this process's user. */
  readonly owner?: ServerUser | undefined;
  /** Everybody may read the copy, and run what is a program. Default: modes as they are. */
  readonly readable?: boolean;
  /** True for the name of a file or folder to leave out. */
  readonly skip?: (name: string) => boolean;
}

/**
 * Copies a folder of files and folders; `to` must not exist. A folder changes
 * hands after it is filled, so that its new owner can't redirect the copying.
 */
export async function copyTree(
  from: string,
  to: string,
  options: CopyOptions = {},
): Promise<void> {
  const { owner, readable = false, skip = () => false } = options;
  await Deno.mkdir(to);
  for await (const entry of Deno.readDir(from)) {
    if (skip(entry.name)) continue;
    const source = join(from, entry.name);
    const target = join(to, entry.name);
    if (entry.isDirectory) {
      await copyTree(source, target, options);
      continue;
    }
    await Deno.copyFile(source, target); // with its mode
    if (readable) {
      const executable = ((await Deno.stat(source)).mode ?? 0) & 0o100;
      await Deno.chmod(target, executable ? 0o755 : 0o644);
    }
    if (owner) await Deno.chown(target, owner.uid, owner.gid);
  }
  await Deno.chmod(to, readable ? 0o755 : (await Deno.stat(from)).mode ?? 0);
  if (owner) await Deno.chown(to, owner.uid, owner.gid);
}

/** Files and links in a folder and the folders in it; 0 if there is none. */
export async function countFiles(folder: string): Promise<number> {
  let count = 0;
  try {
    for await (const entry of Deno.readDir(folder)) {
      count += entry.isDirectory
        ? await countFiles(join(folder, entry.name))
        : 1;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return count;
}
