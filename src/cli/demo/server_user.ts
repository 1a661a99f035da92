import { dirname } from "node:path";

/** The user that the servers run as, if it is not this process's own. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/** "nobody" on every Linux; initdb refuses a user that is not in /etc/passwd. */
const NOBODY: ServerUser = { uid: 65534, gid: 65534 };

/** PostgreSQL refuses to run as root: then somebody else must run it. */
export function serverUser(): ServerUser | undefined {
  return Deno.uid() === 0 ? NOBODY : undefined;
}

/**
 * The folder for temporary files: `TMPDIR` or /tmp. As root it is one that the
 * servers' user can reach, which a private `TMPDIR` is not.
 */
export function temporaryFolder(): string {
  const wanted = Deno.env.get("TMPDIR") || "/tmp";
  return serverUser() === undefined || isOpen(wanted) ? wanted : "/tmp";
}

function isOpen(folder: string): boolean {
  try {
    for (let path = Deno.realPathSync(folder);; path = dirname(path)) {
      if (((Deno.statSync(path).mode ?? 0) & 0o001) === 0) return false;
      if (path === "/") return true;
    }
  } catch {
    return false;
  }
}

/**
 * Makes a folder that only this user can write, or checks the one that is
 * there: in a folder as open as /tmp somebody else may have put it.
 *
 * @throws {Error} if it is a link, another user's, or writable by others.
 */
export async function ensurePrivateFolder(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { mode: 0o755 });
    await Deno.chmod(path, 0o755); // whatever the umask is
    return;
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  const { isDirectory, uid, mode } = await Deno.lstat(path);
  if (!isDirectory || uid !== Deno.uid() || ((mode ?? 0) & 0o022) !== 0) {
    throw new Error(
      `Refusing to use "${path}": it must be a folder that belongs to user ${Deno.uid()} and that nobody else can write; remove it or set TMPDIR`,
    );
  }
}
