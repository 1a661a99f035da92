import assert from "node:assert/strict";
// @ts-types="@types/pg"
import pg from "pg";
import { Authority, type Certificate } from "../support/certificates.ts";
import { startCluster } from "../support/cluster.ts";
import { Interceptor } from "../support/interceptor.ts";
import { hasProgram } from "../support/programs.ts";
import { TestProxy } from "../support/proxy.ts";
import { psql } from "../support/psql.ts";
import { waitFor } from "../support/wait.ts";
import { concat, int32, message } from "../support/wire_client.ts";

const OPTIONS = {
  sanitizeOps: false,
  sanitizeResources: false,
  ignore: !Authority.available || !hasProgram("psql"),
};
const USERS = `
[[users]]
name = "postgres"
password = "postgres"
`;
const BOUND = "sslmode=require channel_binding=require";

function general({ certificatePath, keyPath }: Certificate) {
  return {
    auth_type: "scram",
    tls_certificate: certificatePath,
    tls_private_key: keyPath,
  };
}

/** Replaces the files of `current` and has the proxy read them. */
async function install(
  proxy: TestProxy,
  current: Certificate,
  next: Certificate,
): Promise<void> {
  await Deno.writeTextFile(current.certificatePath, next.certificate);
  await Deno.writeTextFile(current.keyPath, next.key);
  await proxy.admin("RELOAD");
}

/** What psql comes to, by its settings. */
type Modes = readonly [settings: string, code: number, words: RegExp][];

async function expect(port: number, modes: Modes): Promise<void> {
  for (const [settings, code, words] of modes) {
    const result = await psql(`${port}`, settings);
    assert.equal(result.code, code, `${settings}: ${result.text}`);
    assert.match(result.text, words, settings);
  }
}

const BINDABLE: Modes = [
  [BOUND, 0, /^one SSL$/],
  ["sslmode=require", 0, /^one SSL$/],
  ["sslmode=require channel_binding=disable", 0, /^one SSL$/],
  ["sslmode=disable", 0, /^one$/],
  [
    "sslmode=disable channel_binding=require",
    2,
    /channel binding required, but SSL not in use/,
  ],
  [
    `${BOUND} password=guess`,
    2,
    /FATAL: {2}password authentication failed for user "postgres"/,
  ],
  [
    `${BOUND} user=nobody`,
    2,
    /FATAL: {2}password authentication failed for user "nobody"/,
  ],
];
const NOT_BINDABLE: Modes = [
  [BOUND, 2, /channel binding is required, but server did not offer/],
  ["sslmode=require", 0, /^one SSL$/],
];

Deno.test({
  name: "channel binding: psql by its settings, through certificates' reloads",
  ...OPTIONS,
  async fn(t) {
    await using rsa = await Authority.create("rsa");
    await using ec = await Authority.create("ec");
    await using ed25519 = await Authority.create("ed25519");
    await using primary = await startCluster({
      version: "15",
      auth: "scram-sha-256",
    });
    const current = await ec.issue();
    await using proxy = await TestProxy.start({
      primary,
      // One TLS worker: what one client is shown, the next one is.
      general: { ...general(current), workers: 1 },
      more: USERS,
    });
    const table: [string, Certificate, Modes, Authority][] = [
      ["ECDSA, SHA-256", await ec.issue(), BINDABLE, ec],
      ["RSA, SHA-256", await rsa.issue({ digest: "sha256" }), BINDABLE, rsa],
      ["ECDSA, SHA-384", await ec.issue({ digest: "sha384" }), BINDABLE, ec],
      ["RSA, SHA-512", await rsa.issue({ digest: "sha512" }), BINDABLE, rsa],
      ["Ed25519", await ed25519.issue(), NOT_BINDABLE, ed25519],
    ];
    await t.step(
      "a certificate replaced in the middle of a login",
      async () => {
        const client = new pg.Client({
          ...{ host: "127.0.0.1", port: proxy.port, user: "postgres" },
          database: "postgres",
          ssl: { rejectUnauthorized: false },
          enableChannelBinding: true,
          // Asked for when the mechanisms have been offered.
          password: async () => {
            await install(proxy, current, await ec.issue({ digest: "sha384" }));
            return "postgres";
          },
        });
        await client.connect();
        const { rows } = await client.query("select $1::int as n", [7]);
        assert.deepEqual(rows, [{ n: 7 }]);
        await client.end();
      },
    );
    for (const [name, certificate, modes, authority] of table) {
      await t.step(name, async () => {
        await install(proxy, current, certificate);
        if (modes === BINDABLE) {
          // Whichever certificate this one is shown, it is bound to that.
          const { text } = await psql(`${proxy.port}`, BOUND);
          assert.equal(text, "one SSL");
        }
        const verified =
          `sslmode=verify-full host=localhost hostaddr=127.0.0.1 sslrootcert=${authority.path}`;
        await waitFor(
          "the new certificate",
          async () => (await psql(`${proxy.port}`, verified)).code === 0,
          5_000,
        );
        await expect(proxy.port, modes);
      });
    }
  },
});

Deno.test({
  name: "channel binding: somebody in the middle is found out",
  ...OPTIONS,
  async fn(t) {
    await using authority = await Authority.create();
    const own = await authority.issue();
    // By the same authority and for the same name: only the binding tells.
    const other = await authority.issue();
    await using primary = await startCluster({
      version: "15",
      auth: "scram-sha-256",
    });
    await using proxy = await TestProxy.start({
      primary,
      general: general(own),
      more: USERS,
    });
    await t.step("with a certificate of its own", async () => {
      await using middle = await Interceptor.start({
        port: proxy.port,
        certificate: other,
      });
      const table: Modes = [
        [BOUND, 2, /FATAL: {2}SCRAM channel binding check failed/],
        ["sslmode=require", 2, /FATAL: {2}SCRAM channel binding check failed/],
        ["sslmode=require channel_binding=disable", 0, /^one SSL$/],
      ];
      await expect(middle.port, table);
    });
    await t.step("who also takes PLUS out of the offer", async () => {
      await using middle = await Interceptor.start({
        port: proxy.port,
        certificate: other,
        change: (chunk) =>
          new TextDecoder().decode(chunk).includes("SCRAM-SHA-256-PLUS\0")
            ? concat([message("R", int32(10), "SCRAM-SHA-256\0\0")])
            : chunk,
      });
      const table: Modes = [
        [BOUND, 2, /channel binding is required, but server did not offer/],
        [
          "sslmode=require",
          2,
          /FATAL: {2}SCRAM channel binding negotiation error/,
        ],
      ];
      await expect(middle.port, table);
    });
  },
});
