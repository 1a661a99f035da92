import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PairReport } from "../../src/cli/doctor/output.ts";
import { Authority } from "../support/certificates.ts";
import { startCluster } from "../support/cluster.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));

Deno.test({
  name: "doctor: asks servers on TLS by the keys that the proxy goes by",
  sanitizeOps: false,
  sanitizeResources: false,
  ignore: !Authority.available,
  async fn(t) {
    await using authority = await Authority.create();
    await using other = await Authority.create();
    const client = await authority.issue({ name: "the doctor" });
    await using primary = await startCluster({
      version: "15",
      auth: "scram-sha-256",
      ssl: { ...await authority.issue(), clientCa: authority.certificate },
    });
    await using mirror = await startCluster({
      version: "15",
      auth: "scram-sha-256",
      ssl: await authority.issue({ altNames: "DNS:elsewhere" }),
    });
    await using clear = await startCluster({ version: "15" });
    const path = join(authority.folder, "pgdog.toml");
    const identity = {
      tls_server_certificate: client.certificatePath,
      tls_server_private_key: client.keyPath,
    };
    const trusted = { tls_server_ca_certificate: authority.path };
    const full = { tls_verify: "verify-full", ...trusted, ...identity };

    /** What each side said when it could not be asked; the exit code where nobody was. */
    const problems = async (
      primaryKeys: Readonly<Record<string, string>>,
      mirrorKeys: Readonly<Record<string, string>>,
      mirrorPort = mirror.port,
    ) => {
      await Deno.writeTextFile(
        path,
        `${database("now", primary.port, primaryKeys)}
${database("next", mirrorPort, mirrorKeys)}
[[mirroring]]
source_db = "now"
destination_db = "next"
[admin]
password = "pw"
`,
        { mode: 0o600 },
      );
      const args = ["check", "--connect", "--format", "json", "--config", path];
      const { code, stdout, stderr } = await new Deno.Command(
        Deno.execPath(),
        { args: ["run", "-q", "-A", MAIN, ...args] },
      ).output();
      const decoder = new TextDecoder();
      if (stdout.length === 0) return [`${code} ${decoder.decode(stderr)}`];
      const { pairs } = JSON.parse(decoder.decode(stdout)) as {
        pairs: PairReport[];
      };
      return pairs.flatMap(({ findings }) =>
        findings.filter(({ rule }) => /^(?:connect|credentials)$/.test(rule))
          .map(({ object, primary, mirror }) =>
            `${object}: ${primary ?? mirror}`
          )
      );
    };
    const require = { tls_verify: "require" };

    await t.step("verify-full with a certificate, verify-ca", async () => {
      const ca = { tls_verify: "verify-ca", ...trusted };
      assert.deepEqual(await problems(full, ca), []);
    });
    await t.step("another authority, another name", async () => {
      const elsewhere = { tls_verify: "verify-full", ...trusted };
      const wrong = { ...full, tls_server_ca_certificate: other.path };
      const [first, second, ...more] = await problems(wrong, elsewhere);
      assert.match(first ?? "", /^primary: Cannot connect: .*certificate/);
      assert.match(
        second ?? "",
        /^mirror: Cannot connect: .*IP address mismatch/,
      );
      assert.deepEqual(more, []);
    });
    await t.step("no certificate of ours, and no TLS at all", async () => {
      const all = await problems({ tls_verify: "verify-full", ...trusted }, {
        tls_verify: "disabled",
      });
      assert.equal(all.length, 2);
      assert.match(all[0] ?? "", /^primary: .*certificate/);
      assert.match(all[1] ?? "", /^mirror: .*no encryption/);
    });
    await t.step("a server without TLS: require, prefer", async () => {
      assert.deepEqual(await problems(full, require, clear.port), [
        "mirror: Cannot connect: the server does not support TLS",
      ]);
      const prefer = { tls_verify: "prefer" };
      assert.deepEqual(await problems(full, prefer, clear.port), []);
    });
    await t.step("a file that is not there", async () => {
      const [words] = await problems(
        { ...full, tls_server_ca_certificate: "/nonexistent" },
        require,
      );
      assert.match(
        words ?? "",
        /^2 .*tls_server_ca_certificate.*no such file/s,
      );
    });
  },
});

function database(
  name: string,
  port: number,
  keys: Readonly<Record<string, string>>,
): string {
  const all = {
    host: "127.0.0.1",
    user: "postgres",
    password: "postgres",
    database_name: "postgres",
    ...keys,
  };
  return `[[databases]]
name = "${name}"
port = ${port}
${Object.entries(all).map(([key, value]) => `${key} = "${value}"`).join("\n")}`;
}
