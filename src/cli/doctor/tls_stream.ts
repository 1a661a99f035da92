import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { ServerTls } from "../../config/mod.ts";
import { startServerTls } from "../../tls/mod.ts";
import { SSL_REQUEST } from "../../wire/mod.ts";

/** What a connection is made of, in clear or not. */
export interface ByteStream {
  /** @returns how many bytes are at the start of `into` now; null at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** @returns how many bytes were taken. */
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/**
 * Connects and negotiates TLS by the keys that the proxy goes by.
 *
 * @returns "clear" if the server has no TLS and none is required; nothing is open then.
 * @throws {Error} if it can't be had, or the certificate is not accepted.
 */
export async function openTls(
  address: { readonly host: string; readonly port: number },
  tls: ServerTls,
  signal: AbortSignal,
): Promise<ByteStream | "clear"> {
  const host = address.host.replace(/^\[|\]$/g, "");
  const raw = connect({ host, port: address.port, noDelay: true });
  const giveUp = () => raw.destroy(new Error("no answer in time"));
  signal.addEventListener("abort", giveUp);
  raw.on("error", () => {}); // told by what waits for it
  try {
    await once(raw, "connect", { signal });
    if (!await ask(raw, signal)) {
      if (tls.verify !== "prefer") {
        throw new Error("the server does not support TLS");
      }
      raw.destroy();
      return "clear";
    }
    const socket = startServerTls(raw, tls);
    await secured(socket, raw);
    return streamOf(socket);
  } catch (error) {
    raw.destroy();
    throw error;
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

/** @returns whether the server goes on in TLS. */
async function ask(raw: Socket, signal: AbortSignal): Promise<boolean> {
  const answer = Promise.race([
    once(raw, "data", { signal }),
    once(raw, "end", { signal }).then(() => [new Uint8Array(0)]),
  ]);
  raw.write(REQUEST);
  const [bytes] = await answer as [Uint8Array];
  raw.pause();
  // Somebody on the way could put them there (the class of CVE-2021-23222).
  if (bytes.length > 1) {
    throw new Error("the server sent bytes in clear before TLS began");
  }
  if (bytes[0] === S) return true;
  if (bytes[0] === N) return false;
  throw new Error("the answer to SSLRequest is neither S nor N");
}

function secured(socket: TLSSocket, raw: Socket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once("secureConnect", resolve);
  socket.on("error", reject);
  raw.once(
    "close",
    () =>
      reject(new Error("the server closed the connection in the handshake")),
  );
  return promise;
}

function streamOf(socket: TLSSocket): ByteStream {
  const chunks = socket[Symbol.asyncIterator]();
  let left: Uint8Array = new Uint8Array(0);
  return {
    async read(into) {
      while (left.length === 0) {
        const { value, done } = await chunks.next();
        if (done) return null;
        left = value;
      }
      const count = Math.min(left.length, into.length);
      into.set(left.subarray(0, count));
      left = left.subarray(count);
      return count;
    },
    async write(bytes) {
      if (!socket.write(bytes)) await once(socket, "drain");
      return bytes.length;
    },
    close() {
      socket.destroy();
    },
  };
}

const S = 0x53;
const N = 0x4e;
/** SSLRequest: its length and its code. */
const REQUEST = new Uint8Array(8);
new DataView(REQUEST.buffer).setInt32(0, 8);
new DataView(REQUEST.buffer).setInt32(4, SSL_REQUEST);
