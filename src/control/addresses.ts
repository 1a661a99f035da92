import { closeDescriptor, listen, socketAddress } from "../io/mod.ts";

/** An address that can't be listened on; its message names the port. */
export class ListenError extends Error {
  override name = "ListenError";
}

/**
 * Finds out whether `host:port` is free, and why not: the workers' own
 * listening can't tell, and with SO_REUSEPORT two proxies could share a port
 * by accident.
 *
 * @throws {ListenError}
 */
export function checkPortFree(host: string, port: number): void {
  try {
    Deno.listen({ hostname: host, port }).close();
  } catch (cause) {
    throw new ListenError(listenProblem(host, port, cause), { cause });
  }
}

/** Why listening on `host:port` failed, in words. */
export function listenProblem(
  host: string,
  port: number,
  cause: unknown,
): string {
  const reason = cause instanceof Deno.errors.AddrInUse
    ? "another process listens there"
    : cause instanceof Deno.errors.PermissionDenied
    ? "not permitted"
    : String((cause as Error).message ?? cause);
  return `Cannot listen on ${host}:${port}: ${reason}`;
}

/** A unix socket that is listened on. */
export interface UnixListener {
  /** All workers accept from it: a path can be bound once only. */
  readonly descriptor: number;
  /** Stops listening and takes the file away. */
  close(): Promise<void>;
}

/**
 * Listens on the unix socket that libpq looks for in `folder`. A file that
 * nobody listens on is taken away first; anybody may connect, as with
 * PostgreSQL's own socket: a login follows.
 *
 * @throws {ListenError}
 */
export async function listenUnix(
  folder: string,
  port: number,
): Promise<UnixListener> {
  const path = `${folder}/.s.PGSQL.${port}`;
  const failed = (reason: string, cause?: unknown) =>
    new ListenError(`Cannot listen on ${path}: ${reason}`, { cause });
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    throw failed("another process listens there");
  } catch (error) {
    if (error instanceof ListenError) throw error;
  }
  try {
    await Deno.remove(path).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
    const descriptor = listen(socketAddress(folder, port));
    await Deno.chmod(path, 0o777);
    return {
      descriptor,
      async close() {
        closeDescriptor(descriptor);
        await Deno.remove(path).catch(() => {});
      },
    };
  } catch (cause) {
    throw failed((cause as Error).message, cause);
  }
}
