import { ConfigError, loadConfig } from "../config/mod.ts";

/** Where a running proxy is asked. */
export interface AskOptions {
  /** Its HTTP address; without one the configuration's port is taken. */
  readonly url?: string;
  /**
   * Its `http_token`. Without one that of the environment (`PGDOG_HTTP_TOKEN`)
   * is taken, else the configuration's; the latter is sent to the address of the
   * configuration only, never to `url`.
   */
  readonly token?: string;
  readonly configPath: string;
}

/** A running proxy's address, and what it wants to hear. */
export interface Target {
  readonly base: string;
  readonly token: string | undefined;
}

const TIMEOUT_MS = 10_000;

/** @throws {ConfigError} if the configuration is to say where, and does not. */
export async function resolveTarget(options: AskOptions): Promise<Target> {
  const { url, configPath: path } = options;
  const token = options.token ?? Deno.env.get("PGDOG_HTTP_TOKEN");
  if (url !== undefined) return { base: url, token };
  const { config } = await loadConfig({
    path,
    env: Deno.env.toObject(),
    asking: true,
  });
  const { openmetrics_host: host, openmetrics_port: port, http_token } =
    config.general;
  if (port === 0) {
    throw new ConfigError([{
      file: path,
      line: 0,
      key: "general.openmetrics_port",
      message: "is 0: the proxy has no HTTP port to ask; set one, or use --url",
    }]);
  }
  return {
    base: `http://${urlHost(host)}:${port}`,
    token: token ?? http_token,
  };
}

/** An address that listens on all interfaces is asked on this machine. */
function urlHost(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}

/**
 * Asks a running proxy over HTTP.
 *
 * @param path with its query, `/readiness`.
 * @throws {Error} saying who could not be asked, and why.
 */
export async function ask(options: AskOptions, path: string): Promise<string> {
  return await askTarget(await resolveTarget(options), path, TIMEOUT_MS);
}

/** {@linkcode ask} where the address is known already. */
export async function askTarget(
  { base, token }: Target,
  path: string,
  timeoutMs: number,
): Promise<string> {
  const url = new URL(path, base);
  let response: Response;
  try {
    response = await fetch(url, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch (error) {
    throw new Error(`Cannot ask ${url.href}: ${(error as Error).message}`);
  }
  const text = await response.text();
  if (response.status === 401) {
    throw new Error(
      `${url.href} asks for a token: use --token, PGDOG_HTTP_TOKEN or the configuration's http_token`,
    );
  }
  if (!response.ok) {
    throw new Error(`${url.href} answered ${response.status}: ${text.trim()}`);
  }
  return text;
}
