import { Buffer } from "node:buffer";
import { connect as connectTcp, type Socket } from "node:net";
import { connect, type ConnectionOptions } from "node:tls";
import { once } from "node:events";

const REQUEST = Uint8Array.from([0, 0, 0, 8, 4, 210, 22, 47]);

/** A TCP connection to a proxy on this machine, from any address of the loopback. */
export async function tcp(
  port: number,
  localAddress = "127.0.0.1",
): Promise<Socket> {
  const socket = connectTcp({
    host: "127.0.0.1",
    port,
    localAddress,
    allowHalfOpen: true,
  });
  await once(socket, "connect");
  return socket;
}

/** Sends SSLRequest, `behind` it in the same write, and returns the answer; "" at end of stream. */
export async function askForTls(
  socket: Socket,
  behind = new Uint8Array(0),
): Promise<string> {
  socket.write(new Uint8Array([...REQUEST, ...behind]));
  return await Promise.race([
    once(socket, "data").then(([data]) => String(data), () => ""),
    once(socket, "end").then(() => "", () => ""),
  ]);
}

/** TLS over a socket. @throws {Error} with the alert, if there is one. */
export async function startTls(
  socket: Socket,
  options: ConnectionOptions = {},
): Promise<Socket> {
  const tls = connect({ socket, rejectUnauthorized: false, ...options });
  await once(tls, "secureConnect");
  return tls;
}

/** A server that says nothing for so long, in milliseconds, has failed the test. */
const PATIENCE_MS = 15_000;

/** Everything until the end of stream, or an error. */
export async function readAll(socket: Socket): Promise<Uint8Array> {
  const timer = setTimeout(() => socket.destroy(), PATIENCE_MS);
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of socket) chunks.push(chunk);
  } catch {
    // Reset, or out of patience.
  }
  clearTimeout(timer);
  return new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
}

const READY = "Z\0\0\0\x05I";

/** Everything up to ReadyForQuery, idle, as Latin-1. @throws {Error} at the end of stream. */
export function untilReady(socket: Socket): Promise<string> {
  const result = Promise.withResolvers<string>();
  let text = "";
  // One listener for all: several chunks may come in one turn.
  const onData = (chunk: Uint8Array) => {
    text += Buffer.from(chunk).toString("latin1"); // TextDecoder's is Windows-1252
    if (text.endsWith(READY)) result.resolve(text);
  };
  const onGone = () => result.reject(new Error("The server has closed"));
  const timer = setTimeout(
    () => result.reject(new Error(`Not ready after ${PATIENCE_MS} ms`)),
    PATIENCE_MS,
  );
  socket.on("data", onData).once("end", onGone).once("error", onGone);
  socket.resume();
  return result.promise.finally(() => {
    clearTimeout(timer);
    socket.pause(); // what comes next is for the next reader
    socket.off("data", onData).off("end", onGone).off("error", onGone);
  });
}
