import assert from "node:assert/strict";
import { join } from "node:path";
import {
  ConfigError,
  formatProblem,
  loadConfig,
} from "../../src/config/mod.ts";
import { Authority } from "../support/certificates.ts";
import { runProgram } from "../support/programs.ts";

const DATABASE = `[[databases]]
name = "shop"
host = "10.0.0.5"
`;

/** What `loadConfig` says of `text` in `folder`, and its configuration if it has one. */
async function load(folder: string, text: string) {
  const path = join(folder, "pgdog.toml");
  await Deno.writeTextFile(path, text);
  try {
    const { config, warnings } = await loadConfig({ path, env: {} });
    return { config, said: warnings.map(formatProblem).join("\n") };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const said = error.problems.map(formatProblem).join("\n");
    return { config: undefined, said };
  }
}

Deno.test({
  name: "loadConfig: TLS files are looked at, each problem with its line",
  ignore: !Authority.available,
  async fn(t) {
    await using authority = await Authority.create();
    const { folder } = authority;
    const one = await authority.issue();
    const two = await authority.issue();
    await Deno.writeTextFile(join(folder, "junk.pem"), "secret junk");
    for (const kind of [[], ["-traditional"]]) {
      const name = kind.length === 0 ? "encrypted.key" : "old.key";
      await runProgram("openssl", [
        ...["pkey", "-in", one.keyPath, "-out", join(folder, name)],
        ...["-aes256", "-passout", "pass:secret", ...kind],
      ]);
    }
    await Deno.writeTextFile(
      join(folder, "encrypted.crt"),
      one.certificate.replace(
        "CERTIFICATE-----\n",
        `CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,${
          "0".repeat(32)
        }\n\n`,
      ),
    );
    const certificate = `tls_certificate = "1.crt"\n`;
    const key = `tls_private_key = "1.key"\n`;
    const problems: [string, string, RegExp][] = [
      [
        "a missing file",
        certificate + 'tls_private_key = "none.key"\n',
        /:3: general\.tls_private_key: ".*none\.key": there is no such file$/,
      ],
      [
        "another's key",
        certificate + 'tls_private_key = "2.key"\n',
        /:3: general\.tls_private_key: is not the key of ".*1\.crt"$/,
      ],
      [
        "a certificate that is none",
        'tls_certificate = "junk.pem"\n' + key,
        /:2: general\.tls_certificate: ".*junk\.pem" holds no certificate/,
      ],
      [
        "a key that is none",
        certificate + 'tls_private_key = "junk.pem"\n',
        /:3: general\.tls_private_key: ".*junk\.pem" holds no private key/,
      ],
      [
        "an encrypted key",
        certificate + 'tls_private_key = "encrypted.key"\n',
        /:3: general\.tls_private_key: ".*encrypted\.key" is encrypted; run: openssl pkey/,
      ],
      [
        "an encrypted key of the old kind",
        certificate + 'tls_private_key = "old.key"\n',
        /:3: general\.tls_private_key: ".*old\.key" is encrypted; run: openssl pkey/,
      ],
      [
        "an encrypted certificate",
        'tls_certificate = "encrypted.crt"\n' + key,
        /:2: general\.tls_certificate: ".*encrypted\.crt" is encrypted/,
      ],
      [
        "a certificate without its key",
        certificate,
        /:2: general\.tls_certificate: needs tls_private_key$/,
      ],
      [
        "TLS required, and none there",
        "tls_client_required = true\n",
        /:2: general\.tls_client_required: needs tls_certificate/,
      ],
      [
        "authorities that are none",
        'tls_verify = "verify_ca"\ntls_server_ca_certificate = "junk.pem"\n',
        /:3: general\.tls_server_ca_certificate: .* holds no certificate/,
      ],
    ];
    for (const [name, keys, words] of problems) {
      await t.step(name, async () => {
        const { config, said } = await load(
          folder,
          `[general]\n${keys}${DATABASE}`,
        );
        assert.equal(config, undefined);
        assert.match(said, words);
        assert.ok(!said.includes("secret"));
      });
    }
    await t.step("what can be run, and what it warns of", async () => {
      await Deno.chmod(one.keyPath, 0o644);
      const { config, said } = await load(
        folder,
        `[general]\n${certificate}${key}${DATABASE}tls_verify = "verify_full"
tls_server_certificate = "2.crt"
tls_server_private_key = "2.key"
`,
      );
      assert.equal(config?.general.tls_certificate, one.certificatePath);
      assert.equal(
        config?.databases[0]?.tls_server_private_key,
        two.keyPath,
      );
      assert.equal(config?.databases[0]?.tls_verify, "verify-full");
      assert.match(said, /:3: general\.tls_private_key: can be read by others/);
      assert.match(
        said,
        /:7: databases\[0\]\.tls_verify: .*channel_binding=disable/,
      );
      assert.match(
        said,
        /:8: databases\[0\]\.tls_server_certificate: .*"cert"/,
      );
    });
    await t.step(
      "users of our own have no use for those warnings",
      async () => {
        const { config, said } = await load(
          folder,
          `[general]\nauth_type = "scram"\n${certificate}${key}${DATABASE}tls_verify = "verify_full"
[[users]]
name = "ann"
password = "x"
`,
        );
        assert.ok(config !== undefined, said);
        assert.doesNotMatch(said, /channel_binding/);
      },
    );
  },
});
