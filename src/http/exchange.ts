import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";

/** A request as routes see it, without a body. @throws {TypeError} if its target is no address. */
export function requestOf(message: IncomingMessage): Request {
  const { url = "", method = "GET" } = message;
  // The Host header is for the guard; routes look at the path only.
  const address = url.startsWith("/")
    ? new URL(`http://localhost${url}`)
    : new URL(url);
  const headers = new Headers();
  for (const [name, values] of Object.entries(message.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  return new Request(address, { method, headers });
}

/** Sends a response, the last on its connection. @throws {Error} if the client goes before its end. */
export async function send(
  { status, headers, body }: Response,
  to: ServerResponse,
): Promise<void> {
  to.statusCode = status;
  for (const [name, value] of headers) to.appendHeader(name, value);
  // A connection that waits for another request would take a place.
  to.setHeader("connection", "close");
  if (body === null) {
    to.end();
    return;
  }
  await pipeline(Readable.fromWeb(body as ReadableStream), to);
}
