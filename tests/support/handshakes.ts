import { dialPeer } from "./socket_peers.ts";

const SSL_REQUEST = Uint8Array.from([0, 0, 0, 8, 4, 210, 22, 47]);
const encoder = new TextEncoder();
/** What comes in the place of a whole ClientHello: the head of one, a record that is none, nothing. */
const BROKEN_OFF = [
  Uint8Array.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]),
  encoder.encode("GET / HTTP/1.1\r\nHost: db\r\n\r\n"),
  new Uint8Array(0),
];
const AT_ONCE = 8;

/**
 * Makes `count` connections on TLS to a proxy, some at once, and breaks them off
 * in their handshake.
 *
 * @param whole every so many-th is not broken off.
 */
export async function shakeHands(
  port: number,
  count: number,
  whole = Infinity,
): Promise<void> {
  let left = count;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let i = left--; i > 0; i = left--) {
      if (i % whole === 0) dialPeer({ port, tls: true }).close();
      else await breakOff(port, BROKEN_OFF[i % BROKEN_OFF.length]);
    }
  }));
}

async function breakOff(
  port: number,
  hello = new Uint8Array(0),
): Promise<void> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(SSL_REQUEST);
  await conn.read(new Uint8Array(1));
  if (hello.length > 0) await conn.write(hello);
}
