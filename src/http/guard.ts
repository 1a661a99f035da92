import { createHmac, timingSafeEqual } from "node:crypto";

/** Gives the answer to a request that may not pass, `undefined` to one that may. */
export type Guard = (request: Request) => Response | undefined;

export interface GuardOptions {
  /** Address that the server listens on. */
  readonly host: string;
  readonly token?: string | undefined;
}

/**
 * Who may read the HTTP port.
 *
 * With a token: who sends it as `Authorization: Bearer` (RFC 6750), or once as
 * `?token=`, which is answered with a cookie and the address without it.
 *
 * Without a token, on a loopback address: who names this machine. A page of
 * another site whose name was made to resolve to 127.0.0.1 (DNS rebinding) is
 * of the same origin to the browser, but its name is in the Host header.
 */
export function createGuard({ host, token }: GuardOptions): Guard {
  if (token !== undefined) return tokenGuard(token);
  return isLoopback(host) ? hostGuard(host) : () => undefined;
}

function hostGuard(listening: string): Guard {
  return (request) => {
    const header = request.headers.get("host");
    // Every browser sends it.
    if (header === null) return undefined;
    const name = hostnameOf(header);
    if (name !== undefined && (isLoopback(name) || name === listening)) {
      return undefined;
    }
    return new Response(
      "This address answers to the names of this machine only (localhost).\n" +
        "Set http_token in [general] to reach it by another name.\n",
      { status: 421, headers: TEXT },
    );
  };
}

/** Without port and brackets; undefined if it is no host. */
function hostnameOf(header: string): string | undefined {
  try {
    return new URL(`http://${header}`).hostname.replaceAll(/^\[|\]$/g, "");
  } catch {
    return undefined;
  }
}

/** `localhost` and what is below it resolve to loopback addresses only (RFC 6761, 6.3). */
function isLoopback(name: string): boolean {
  return name === "localhost" || name.endsWith(".localhost") ||
    name === "::1" || /^127(?:\.\d{1,3}){3}$/.test(name);
}

const TEXT = { "content-type": "text/plain; charset=utf-8" };

function tokenGuard(token: string): Guard {
  const derive = (purpose: string) =>
    createHmac("sha256", token).update(purpose).digest("hex");
  // A browser keeps this in the token's stead. Cookies do not know ports: the
  // name keeps two proxies of one machine apart.
  const cookie = {
    name: `pgdog_mirror_${derive("cookie name").slice(0, 8)}`,
    value: derive("cookie"),
  };

  return (request) => {
    const bearer = /^Bearer +(\S+) *$/i.exec(
      request.headers.get("authorization") ?? "",
    )?.[1];
    if (bearer !== undefined && isEqual(bearer, token)) return undefined;
    const url = new URL(request.url);
    const inQuery = url.searchParams.get("token");
    if (inQuery !== null && isEqual(inQuery, token)) {
      url.searchParams.delete("token");
      return new Response(null, {
        status: 303,
        headers: {
          location: pathAndQuery(url),
          "set-cookie":
            `${cookie.name}=${cookie.value}; Path=/; HttpOnly; SameSite=Strict`,
        },
      });
    }
    const kept = cookieValue(request.headers.get("cookie"), cookie.name);
    if (kept !== undefined && isEqual(kept, cookie.value)) return undefined;
    return unauthorized(request, url);
  };
}

function cookieValue(header: string | null, name: string): string | undefined {
  return header?.split(/; */)
    .find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** In constant time, whatever the lengths are: digests are compared. */
function isEqual(given: string, wanted: string): boolean {
  const digest = (text: string) =>
    createHmac("sha256", "equality").update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}

/**
 * A browser that follows a link of another site does not send a cookie with
 * SameSite=Strict, not even after the redirect: then its user follows a link here.
 */
function unauthorized(request: Request, url: URL): Response {
  const isPage = request.headers.get("accept")?.includes("text/html") ?? false;
  url.searchParams.delete("token");
  const body = isPage
    ? `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>PgDog Mirror: token needed</title>
<h1>A token is needed</h1>
<p>Open this address with <code>?token=</code> and the <code>http_token</code> of the configuration; the browser keeps a cookie from then on.</p>
<p>If you have done so and came by a link: <a href="${
      escapeAttribute(pathAndQuery(url))
    }">go on</a>.</p>
</html>
`
    : "A token is needed: Authorization: Bearer, or ?token= once in a browser\n";
  return new Response(body, {
    status: 401,
    headers: {
      ...(isPage ? { "content-type": "text/html; charset=utf-8" } : TEXT),
      "content-security-policy":
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
      "www-authenticate": 'Bearer realm="pgdog-mirror"',
    },
  });
}

/** Of this server: `//name/` would be another one. */
function pathAndQuery({ pathname, search }: URL): string {
  return pathname.replace(/^\/+/, "/") + search;
}

function escapeAttribute(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;")
    .replaceAll("<", "&lt;");
}
