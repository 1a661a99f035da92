import assert from "node:assert/strict";
import {
  CatalogConnection,
  type ConnectionOptions,
} from "../../../src/cli/doctor/connection.ts";
import { ServerError } from "../../../src/cli/doctor/answer.ts";
import { TlsContexts } from "../../../src/tls/mod.ts";
import { NO_TLS } from "../../support/no_tls.ts";

const PASSWORD = "s3cret";

/**
 * A server that takes a startup packet, then does `answer`.
 *
 * @returns what it heard after that, until the client was gone.
 */
async function withServer(
  answer: (socket: Deno.TcpConn) => Promise<void>,
  use: (port: number) => Promise<void>,
): Promise<string> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let text = "";
  const serving = (async () => {
    using socket = await listener.accept();
    const chunk = new Uint8Array(4096);
    await socket.read(chunk); // the startup packet
    await answer(socket).catch(() => {});
    for (;;) {
      const count = await socket.read(chunk).catch(() => null);
      if (count === null) return;
      text += new TextDecoder().decode(chunk.subarray(0, count));
    }
  })();
  await use(listener.addr.port);
  await serving;
  return text;
}

function message(type: string, ...body: number[]): Uint8Array {
  const bytes = new Uint8Array(5 + body.length);
  bytes[0] = type.charCodeAt(0);
  new DataView(bytes.buffer).setInt32(1, 4 + body.length);
  bytes.set(body, 5);
  return bytes;
}

function open(
  port: number,
  options: Partial<ConnectionOptions> = {},
): Promise<CatalogConnection> {
  return CatalogConnection.open({
    host: "127.0.0.1",
    port,
    database: "postgres",
    user: "postgres",
    password: PASSWORD,
    tls: undefined,
    cleartextAllowed: false,
    connectTimeoutMs: 10_000,
    queryTimeoutMs: 10_000,
    ...options,
  });
}

const CLEARTEXT = message("R", 0, 0, 0, 3);

Deno.test("CatalogConnection: a password in clear is refused, and no byte of it sent", async () => {
  const heard = await withServer(
    async (socket) => void await socket.write(CLEARTEXT),
    (port) =>
      assert.rejects(
        open(port),
        (error) => error instanceof ServerError && error.credentials,
      ),
  );
  assert.equal(heard, "");
});

Deno.test("CatalogConnection: a password in clear is sent where that is allowed", async () => {
  await withServer(
    async (socket) => {
      await socket.write(CLEARTEXT);
      const chunk = new Uint8Array(100);
      const count = await socket.read(chunk) ?? 0;
      assert.match(
        new TextDecoder().decode(chunk.subarray(0, count)),
        /^p.*s3cret\0$/s,
      );
      await socket.write(message("R", 0, 0, 0, 0));
      await socket.write(message("Z", 0x49));
    },
    async (port) => (await open(port, { cleartextAllowed: true })).close(),
  );
});

Deno.test("CatalogConnection: an answer to SSLRequest other than S or N ends it", async () => {
  const tls = {
    contexts: new TlsContexts(NO_TLS),
    ...{ name: "postgres", clearAllowed: true },
  };
  const table: [answer: string, words: RegExp][] = [
    ["E", /neither S nor N/],
    ["", /the server closed the connection/],
    ["Sx", /bytes in clear before TLS/],
    ["NR", /bytes in clear before TLS/],
  ];
  for (const [answer, words] of table) {
    await withServer(
      async (socket) => {
        await socket.write(new TextEncoder().encode(answer));
        await socket.closeWrite();
      },
      (port) => assert.rejects(open(port, { tls }), words),
    );
  }
});

Deno.test("CatalogConnection: a server that says nothing, or never ends, is given up", async () => {
  await withServer(
    () => Promise.resolve(),
    (port) =>
      assert.rejects(open(port, { connectTimeoutMs: 50 }), /within 50 ms/),
  );
  const notice = message("N", 0);
  const notices = new Uint8Array(notice.length * 10_000);
  for (let at = 0; at < notices.length; at += notice.length) {
    notices.set(notice, at);
  }
  await withServer(
    async (socket) => {
      for (;;) await socket.write(notices);
    },
    (port) =>
      assert.rejects(open(port, { connectTimeoutMs: 200 }), /within 200 ms/),
  );
});

Deno.test("CatalogConnection: hostile lengths and messages out of place end it", async () => {
  const cases: [bytes: Uint8Array, expected: RegExp][] = [
    [Uint8Array.of(0x52, 0, 0, 0, 3), /no messages/],
    [Uint8Array.of(0x52, 255, 255, 255, 255), /no messages/],
    [Uint8Array.of(0x52, 0x7f, 0xff, 0xff, 0xff), /2147483643 bytes/],
    [message("G", 0, 0, 0), /"G" has no place/],
    [message("R"), /Short Authentication/],
    [message("E", 0), /no reason given/],
  ];
  for (const [bytes, expected] of cases) {
    await withServer(
      async (socket) => void await socket.write(bytes),
      (port) => assert.rejects(open(port), expected),
    );
  }
});

Deno.test("CatalogConnection: an answer is bounded in bytes", async () => {
  await withServer(
    async (socket) => {
      // NoticeResponses of 4 MiB.
      const bytes = new Uint8Array(4 * 1024 * 1024);
      bytes.set(message("N"));
      new DataView(bytes.buffer).setInt32(1, bytes.length - 1);
      for (;;) {
        for (let at = 0; at < bytes.length;) {
          at += await socket.write(bytes.subarray(at));
        }
      }
    },
    (port) => assert.rejects(open(port), /over 134217728 bytes/),
  );
});
