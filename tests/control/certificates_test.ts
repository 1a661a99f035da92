import assert from "node:assert/strict";
import { Certificates } from "../../src/control/certificates.ts";
import { parseConfig } from "../../src/config/mod.ts";
import { Authority, type Certificate } from "../support/certificates.ts";

function configOf(certificate?: Certificate) {
  const keys = certificate === undefined ? "" : `
tls_certificate = "${certificate.certificatePath}"
tls_private_key = "${certificate.keyPath}"`;
  const toml = `
[general]${keys}
[[databases]]
name = "db"
host = "127.0.0.1"
[admin]
password = "secret"`;
  return parseConfig(toml, "test.toml", {}).config;
}

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

Deno.test({
  name: "Certificates: a look that began before a reload does not undo it",
  ignore: !Authority.available,
  async fn() {
    await using authority = await Authority.create();
    const old = configOf(await authority.issue());
    const certificates = await Certificates.create(old, SILENT, () => {});
    try {
      const looking = certificates.look();
      assert.ok(await certificates.reload(configOf()));
      await looking;
      assert.equal(certificates.material.clients, undefined);
      await certificates.look();
      assert.equal(certificates.material.clients, undefined);
    } finally {
      certificates.close();
    }
  },
});
