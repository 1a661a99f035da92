/**
 * A port that nobody listens on, below those that the kernel gives to outgoing
 * connections (32768 and up): whoever stops and starts again finds it free.
 *
 * @param preferred tried first.
 */
export function freePort(host: string, preferred?: number): number {
  if (preferred !== undefined && isFree(host, preferred)) return preferred;
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (isFree(host, port)) return port;
  }
}

export function isFree(host: string, port: number): boolean {
  try {
    Deno.listen({ hostname: host, port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}
