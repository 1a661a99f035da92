import { ConfigError, loadConfig } from "../config/mod.ts";

/** Where a running proxy is asked. */
export interface AskOptions {
  /** Its HTTP address; without one the configuration's port is taken. */
  readonly url?: string;
  readonly configPath: string;
}

const TIMEOUT_MS = 10_000;

/**
 * Asks a running proxy over HTTP.
 *
 * @param path with its query, `/readiness`.
 * @throws {Error} saying who could not be asked, and why.
 */
export async function ask(options: AskOptions, path: string): Promise<string> {
  const base = options.url ?? await configuredUrl(options.configPath);
  const url = new URL(path, base);
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    throw new Error(`Cannot ask ${url.href}: ${(error as Error).message}`);
  }
  const text = await response.text();
  if (!response.ok) {
    throw new Error(`${url.href} answered ${response.status}: ${text.trim()}`);
  }
  return text;
}

async function configuredUrl(path: string): Promise<string> {
  const { config } = await loadConfig({ path, env: Deno.env.toObject() });
  const { openmetrics_host: host, openmetrics_port: port } = config.general;
  if (port === 0) {
    throw new ConfigError([{
      file: path,
      line: 0,
      key: "general.openmetrics_port",
      message: "is 0: the proxy has no HTTP port to ask; set one, or use --url",
    }]);
  }
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
