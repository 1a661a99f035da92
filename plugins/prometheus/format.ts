import Negotiator from "negotiator";

/** The two formats of `/metrics`. */
export type Format = "text" | "openmetrics";

/** https://prometheus.io/docs/instrumenting/exposition_formats/ and OpenMetrics 1.0.0. */
export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  text: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/** How names beyond ASCII are wanted (Prometheus 3); ours have none. */
const ESCAPING = /;\s*escaping=[\w-]+/gi;

/**
 * What the Accept header prefers (RFC 9110, section 12.5.1). Who accepts
 * anything, or nothing that there is, gets the text format.
 */
export function acceptedFormat(accept: string | null): Format {
  if (accept === null) return "text";
  const headers = { accept: accept.replaceAll(ESCAPING, "") };
  const [best] = new Negotiator({ headers })
    .mediaTypes([CONTENT_TYPES.text, CONTENT_TYPES.openmetrics]);
  return best === CONTENT_TYPES.openmetrics ? "openmetrics" : "text";
}
