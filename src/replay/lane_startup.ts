import type { LoginOptions } from "../auth/mod.ts";
import { encodeStartupMessage } from "../wire/mod.ts";

/**
 * The startup packet of a lane: the client's parameters with the mirror's own
 * user and database. Protocol extensions (`_pq_.`) and replication stay out.
 *
 * @param parameters the client's, `name\0value\0…`.
 */
export function laneStartup(
  parameters: string,
  options: LoginOptions,
): Uint8Array<ArrayBuffer> {
  const texts = parameters.split("\0");
  const pairs: [string, string][] = [
    ["user", options.user],
    ["database", options.database],
  ];
  for (let i = 0; i + 1 < texts.length; i += 2) {
    const name = texts[i] as string; // i + 1 < length
    if (/^(?:user|database|replication|_pq_\..*)$/.test(name)) continue;
    pairs.push([name, texts[i + 1] as string]);
  }
  return encodeStartupMessage(pairs);
}
