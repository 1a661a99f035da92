/** How psql ended: its exit code, and all that it said. */
export interface PsqlResult {
  readonly code: number;
  readonly text: string;
}

/**
 * Runs psql against a port of this machine as user "postgres" with that
 * password: it prints "one", and " SSL" behind it if its connection is on TLS.
 *
 * @param settings more of a connection string.
 * @param env e.g. another libpq.
 */
export async function psql(
  port: string,
  settings: string,
  env: Readonly<Record<string, string>> = {},
): Promise<PsqlResult> {
  const { code, stdout, stderr } = await new Deno.Command("psql", {
    args: [
      ...["-XAt", "-c", "\\conninfo", "-c", "select 'one'"],
      `host=127.0.0.1 port=${port} user=postgres dbname=postgres password=postgres ${settings}`,
    ],
    env: { LC_ALL: "C", PGCONNECT_TIMEOUT: "10", ...env },
  }).output();
  const decoder = new TextDecoder();
  if (code !== 0) return { code, text: decoder.decode(stderr).trim() };
  const words = decoder.decode(stdout);
  const encrypted = /SSL connection/.test(words) ? " SSL" : "";
  return { code, text: words.trim().split("\n").at(-1) + encrypted };
}
