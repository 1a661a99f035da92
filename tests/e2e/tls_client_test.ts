import assert from "node:assert/strict";
import { once } from "node:events";
import { Socket } from "node:net";
// @ts-types="@types/pg"
import pg from "pg";
import postgres from "postgres";
import { connect, setAbortive, socketAddress } from "../../src/io/mod.ts";
import { encodeStartupMessage } from "../../src/wire/mod.ts";
import { Authority, type Certificate } from "../support/certificates.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { hasProgram } from "../support/programs.ts";
import { connections } from "../support/connections.ts";
import { Program } from "../support/program.ts";
import { TestProxy } from "../support/proxy.ts";
import { psql } from "../support/psql.ts";
import {
  askForTls,
  readAll,
  startTls,
  tcp,
  untilReady,
} from "../support/tls_client.ts";
import { waitFor } from "../support/wait.ts";
import { concat, int32, message, query } from "../support/wire_client.ts";

const OPTIONS = {
  sanitizeOps: false,
  sanitizeResources: false,
  ignore: !Authority.available,
};
const STARTUP = encodeStartupMessage([
  ["user", "postgres"],
  ["database", "postgres"],
]);
const MIB = 1024 * 1024;

function general(certificate: Certificate, more: object = {}) {
  return {
    tls_certificate: certificate.certificatePath,
    tls_private_key: certificate.keyPath,
    ...more,
  };
}

/** A client on TLS, logged in to a primary that trusts it. */
async function login(
  proxy: Pick<TestProxy, "port">,
  raw?: Socket,
): Promise<Socket> {
  raw ??= await tcp(proxy.port);
  assert.equal(await askForTls(raw), "S");
  const socket = await startTls(raw);
  socket.write(STARTUP);
  await untilReady(socket);
  return socket;
}

Deno.test({
  name: "TLS to clients: psql and both drivers, by sslmode, on SCRAM",
  ...OPTIONS,
  async fn(t) {
    await using authority = await Authority.create();
    await using other = await Authority.create();
    const certificate = await authority.issue();
    await using primary = await startCluster({
      version: "15",
      auth: "scram-sha-256",
    });
    await using proxy = await TestProxy.start({
      primary,
      general: general(certificate),
    });
    const url = { port: proxy.port, password: "postgres" };

    await t.step({
      name: "psql",
      ignore: !hasProgram("psql"),
      async fn() {
        const root = `sslrootcert=${authority.path}`;
        const table: [string, number, RegExp][] = [
          ["sslmode=disable", 0, /^one$/],
          ["sslmode=prefer", 0, /^one SSL$/],
          ["sslmode=require", 0, /^one SSL$/],
          [`sslmode=verify-full ${root}`, 0, /^one SSL$/],
          ["sslmode=require channel_binding=disable", 0, /^one SSL$/],
          // The primary is in clear and offers none.
          [
            "sslmode=require channel_binding=require",
            2,
            /channel binding is required, but/,
          ],
          [
            `sslmode=verify-ca sslrootcert=${other.path}`,
            2,
            /certificate verify failed/,
          ],
        ];
        for (const [mode, code, words] of table) {
          const result = await psql(`${url.port}`, mode);
          assert.equal(result.code, code, `${mode}: ${result.text}`);
          assert.match(result.text, words, mode);
        }
      },
    });
    for (const verify of ["require", "verify-full"] as const) {
      await t.step(`postgres.js and pg: ${verify}`, async () => {
        const ssl = verify === "require"
          ? { rejectUnauthorized: false }
          : { ca: authority.certificate, servername: "localhost" };
        const sql = postgres(proxy.url(), { ...url, max: 1, ssl });
        assert.deepEqual([...await sql`select ${7}::int as n`], [{ n: 7 }]);
        await sql.end();
        const client = new pg.Client({
          ...{ host: "127.0.0.1", user: "postgres", database: "postgres" },
          ...url,
          ssl,
        });
        await client.connect();
        const { rows } = await client.query("select $1::int as n", [7]);
        assert.deepEqual(rows, [{ n: 7 }]);
        await client.end();
      });
    }
  },
});

Deno.test({
  name: "TLS to clients: what is refused, and how",
  ...OPTIONS,
  async fn(t) {
    await using authority = await Authority.create();
    const certificate = await authority.issue();
    await using primary = await startCluster({ version: "15" });
    await using proxy = await TestProxy.start({
      primary,
      general: general(certificate, {
        tls_client_required: true,
        client_login_timeout: 700,
      }),
    });
    await t.step("a client in clear, in PostgreSQL's words", async () => {
      const raw = await tcp(proxy.port);
      raw.write(STARTUP);
      const text = new TextDecoder().decode(await readAll(raw));
      assert.match(text, /^E/);
      assert.match(text, /FATAL\0.*C28000\0/);
      assert.match(
        text,
        /no entry for user "postgres", database "postgres", no encryption/,
      );
    });
    await t.step("bytes in clear behind the SSLRequest", async () => {
      const raw = await tcp(proxy.port);
      assert.equal(await askForTls(raw, STARTUP), "");
      await waitFor(
        "the log to say so",
        () => proxy.logs.some((line) => /bytes in clear behind/.test(line)),
        5_000,
      );
    });
    await t.step("bytes in clear instead of a handshake", async () => {
      const raw = await tcp(proxy.port);
      assert.equal(await askForTls(raw), "S");
      raw.write(STARTUP);
      // At most an alert (RFC 8446, section 6), and no word of the protocol.
      const answer = await readAll(raw);
      assert.ok(answer.length === 0 || answer[0] === 0x15, `${answer}`);
    });
    await t.step("direct TLS with ALPN is taken", async () => {
      const socket = await startTls(await tcp(proxy.port), {
        ALPNProtocols: ["postgresql"],
      });
      socket.write(STARTUP);
      await untilReady(socket);
      socket.destroy();
    });
    await t.step("direct TLS without ALPN, and with another's", async () => {
      const socket = await startTls(await tcp(proxy.port));
      socket.write(STARTUP);
      assert.equal((await readAll(socket)).length, 0);
      await assert.rejects(
        startTls(await tcp(proxy.port), { ALPNProtocols: ["h2"] }),
        { code: "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL" },
      );
    });
    await t.step("SSLRequest, with another's ALPN", async () => {
      const raw = await tcp(proxy.port);
      assert.equal(await askForTls(raw), "S");
      await assert.rejects(startTls(raw, { ALPNProtocols: ["h2"] }));
    });
    await t.step("TLS 1.1", async () => {
      const raw = await tcp(proxy.port);
      assert.equal(await askForTls(raw), "S");
      await assert.rejects(
        startTls(raw, { minVersion: "TLSv1", maxVersion: "TLSv1.1" }),
      );
    });
    await t.step("TLS 1.2 is taken", async () => {
      const raw = await tcp(proxy.port);
      assert.equal(await askForTls(raw), "S");
      const socket = await startTls(raw, { maxVersion: "TLSv1.2" });
      socket.write(STARTUP);
      await untilReady(socket);
      socket.destroy();
    });
    await t.step("GSSENCRequest gets N, and TLS may follow", async () => {
      const raw = await tcp(proxy.port);
      raw.write(new Uint8Array([...int32(8), ...int32(80877104)]));
      assert.equal(String((await once(raw, "data"))[0]), "N");
      assert.equal(await askForTls(raw), "S");
      const socket = await startTls(raw);
      socket.write(STARTUP);
      await untilReady(socket);
      socket.destroy();
    });
    await t.step("handshakes that never end are closed", async () => {
      const open = [];
      for (const first of [[0x16], [0], [...int32(8), ...int32(80877103)]]) {
        const raw = await tcp(proxy.port);
        raw.write(new Uint8Array(first));
        open.push(readAll(raw));
      }
      await Promise.all(open);
      await waitFor(
        "all to be gone",
        () => proxy.clients === 0 && connections(proxy.port) === 0,
        5_000,
      );
    });
  },
});

Deno.test({
  name: "TLS to clients: large results, COPY, half-close, kill, cancel",
  ...OPTIONS,
  async fn(t) {
    await using authority = await Authority.create();
    const certificate = await authority.issue();
    await using primary = await startCluster({ version: "15" });
    await using proxy = await TestProxy.start({
      primary,
      general: general(certificate),
    });
    const ssl = { rejectUnauthorized: false };
    for (const mebibytes of [1, 64]) {
      await t.step(`a result of ${mebibytes} MiB`, async () => {
        const sql = postgres(proxy.url(), { max: 1, ssl });
        const rows = await sql`
          select repeat(md5(i::text), ${MIB / 32}) as text
          from generate_series(1, ${mebibytes}) i`;
        const direct = postgres(primary.url(), { max: 1 });
        const expected = await direct`
          select md5(string_agg(repeat(md5(i::text), ${MIB / 32}), ''
            order by i)) as sum
          from generate_series(1, ${mebibytes}) i`;
        await direct.end();
        const { createHash } = await import("node:crypto");
        const hash = createHash("md5");
        for (const { text } of rows) hash.update(text);
        assert.equal(hash.digest("hex"), expected[0]?.sum);
        await sql.end();
      });
    }
    await t.step("COPY in both directions", async () => {
      const socket = await login(proxy);
      const ask = async (bytes: Uint8Array) => {
        socket.write(bytes);
        return await untilReady(socket);
      };
      const line = "7\t" + "x".repeat(1_000) + "\n";
      await ask(query("create table copied (n int, text text)"));
      const data = message("d", line.repeat(1_000));
      const copy = [query("copy copied from stdin"), data, data, message("c")];
      assert.match(await ask(concat(copy)), /COPY 2000\0/);
      const out = await ask(query("copy copied to stdout"));
      assert.equal(out.split(line).length, 2_001);
      socket.destroy();
    });
    await t.step(
      "a client that half-closes still gets its answer",
      async () => {
        const socket = await login(proxy);
        socket.write(query("select pg_sleep(0.3), 'the answer'"));
        socket.end();
        const text = new TextDecoder("latin1").decode(await readAll(socket));
        assert.match(text, /the answer/);
      },
    );
    await t.step("a client that resets leaves nothing", async () => {
      const fd = connect(socketAddress("127.0.0.1", proxy.port));
      const socket = await login(proxy, new Socket({ fd }));
      socket.write(query("select pg_sleep(61)"));
      await sleeping(primary, 61);
      setAbortive(fd);
      socket.destroy();
      await waitFor(
        "its session to be gone",
        () => proxy.clients === 0 && connections(proxy.port) === 0,
        10_000,
      );
    });
    for (const hello of [[], [0x16, 3, 1, 2, 0, 1]]) {
      await t.step(
        `a client that goes ${hello.length} bytes into its handshake leaves nothing`,
        async () => {
          for (const how of ["destroy", "resetAndDestroy"] as const) {
            const raw = await tcp(proxy.port);
            assert.equal(await askForTls(raw), "S");
            raw.write(new Uint8Array(hello));
            raw[how]();
            await waitFor(
              `it to be gone after ${how}`, // long before client_login_timeout
              () => proxy.clients === 0 && connections(proxy.port) === 0,
              5_000,
            );
          }
        },
      );
    }
    await t.step("a killed backend ends its client", async () => {
      const socket = await login(proxy);
      const sql = postgres(primary.url(), { max: 1 });
      socket.write(query("select pg_sleep(60)"));
      await waitFor("its query", async () => {
        const killed = await sql`
          select pg_terminate_backend(pid) from pg_stat_activity
          where query = 'select pg_sleep(60)' and state = 'active'
            and pid <> pg_backend_pid()`;
        return killed.length > 0;
      }, 5_000);
      const text = new TextDecoder("latin1").decode(await readAll(socket));
      assert.match(text, /C57P01\0/);
      await sql.end();
    });
    await t.step("a cancel, itself on TLS", async () => {
      const raw = await tcp(proxy.port);
      await askForTls(raw);
      const socket = await startTls(raw);
      socket.write(STARTUP);
      const text = await untilReady(socket);
      const key = Uint8Array.from(
        text.slice(text.indexOf("K\0\0\0\x0c") + 5).slice(0, 8),
        (c) => c.charCodeAt(0),
      );
      socket.write(query("select pg_sleep(62)"));
      const answer = untilReady(socket);
      await sleeping(primary, 62);
      const second = await tcp(proxy.port);
      await askForTls(second);
      const canceller = await startTls(second);
      canceller.write(concat([int32(16), int32(80877102), key]));
      await readAll(canceller);
      assert.match(await answer, /C57014\0/);
      socket.destroy();
    });
  },
});

async function sleeping(primary: Cluster, seconds: number): Promise<void> {
  const sql = postgres(primary.url(), { max: 1 });
  await waitFor("pg_sleep to run", async () => {
    const rows = await sql`
      select 1 from pg_stat_activity where wait_event = 'PgSleep'
        and query = ${`select pg_sleep(${seconds})`}`;
    return rows.length > 0;
  }, 5_000);
  await sql.end();
}

Deno.test({
  name: "TLS to clients: new certificates reach new clients, old ones stay",
  ...OPTIONS,
  async fn(t) {
    await using authority = await Authority.create();
    const first = await authority.issue({ name: "first" });
    const second = await authority.issue({ name: "second" });
    const third = await authority.issue({ name: "third" });
    await using primary = await startCluster({ version: "15" });
    const files = {
      tls_certificate: `${authority.folder}/live.crt`,
      tls_private_key: `${authority.folder}/live.key`,
    };
    const install = ({ certificate, key }: Certificate) => {
      Deno.writeTextFileSync(files.tls_certificate, certificate);
      Deno.writeTextFileSync(files.tls_private_key, key);
    };
    install(first);
    await using proxy = await TestProxy.start({ primary, general: files });
    const shown = async () => {
      const raw = await tcp(proxy.port);
      await askForTls(raw);
      const socket = await startTls(raw);
      const { subject } = (socket as unknown as import("node:tls").TLSSocket)
        .getPeerCertificate();
      socket.destroy();
      return String(subject.CN);
    };
    const old = await login(proxy);
    assert.equal(await shown(), "first");

    await t.step("by themselves", async () => {
      install(second);
      await waitFor(
        "the second one",
        async () => await shown() === "second",
        15_000,
      );
    });
    await t.step("a file that is broken changes nothing", async () => {
      Deno.writeTextFileSync(files.tls_certificate, third.certificate);
      await assert.rejects(
        proxy.admin("RELOAD"),
        /tls_private_key: is not the key of ".*live\.crt"/,
      );
      assert.equal(await shown(), "second");
    });
    await t.step("on request, at once", async () => {
      install(third);
      assert.deepEqual(await proxy.admin("RELOAD"), []);
      await waitFor(
        "the third one",
        async () => await shown() === "third",
        5_000,
      );
    });
    await t.step("TLS goes and comes", async () => {
      const before = proxy.toml;
      proxy.toml = before.replaceAll(/^tls_(?:certificate|private).*$/gm, "");
      const effects = await proxy.admin("RELOAD");
      assert.deepEqual(effects.map(({ effect }) => effect), [
        "changed",
        "changed",
      ]);
      assert.equal(await askForTls(await tcp(proxy.port)), "N");
      proxy.toml = before;
      await proxy.admin("RELOAD");
      assert.equal(await shown(), "third");
    });
    old.write(query("select 'still here'"));
    assert.match(await untilReady(old), /still here/);
    old.destroy();
  },
});

Deno.test({
  name: "TLS to clients: 200 connections leave no descriptor behind",
  ...OPTIONS,
  async fn() {
    await using authority = await Authority.create();
    const certificate = await authority.issue();
    await using primary = await startCluster({
      version: "15",
      ssl: certificate,
    });
    await using program = new Program();
    program.start(program.config(
      primary,
      `tls_certificate = "${certificate.certificatePath}"
tls_private_key = "${certificate.keyPath}"
tls_verify = "require"
workers = 2`,
    ));
    await program.accepting();
    const proxy = { port: program.port };
    const once = async (how: number) => {
      const socket = await login(proxy);
      // Goodbye, end of stream, reset.
      if (how === 0) socket.write(new Uint8Array([0x58, 0, 0, 0, 4]));
      if (how < 2) {
        socket.end();
        await readAll(socket);
      } else socket.destroy();
    };
    const atRest = program.descriptors();
    // What the program opens once at the first connections stays.
    for (let i = 0; i < 6; i++) await once(i % 3);
    await waitFor(
      "the first to be gone",
      () => connections(program.port) === 0 && program.descriptors() <= atRest,
      10_000,
    );
    const before = program.descriptors();
    for (let i = 0; i < 20; i++) {
      await Promise.all(
        Array.from({ length: 10 }, (_, j) => once((i + j) % 3)),
      );
    }
    await waitFor(
      `descriptors to be ${before} again`,
      () => program.descriptors() <= before,
      20_000,
    );
  },
});
