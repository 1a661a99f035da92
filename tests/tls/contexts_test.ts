import assert from "node:assert/strict";
import { EpollReactor } from "../../src/io/mod.ts";
import { TlsContexts } from "../../src/tls/mod.ts";
import { Authority } from "../support/certificates.ts";
import { NO_TLS } from "../support/no_tls.ts";
import { runProgram } from "../support/programs.ts";

/** A server whose certificate must be signed by a public authority. */
const PUBLIC = {
  db: {
    verify: "verify-full",
    host: "db.example",
    ca: undefined,
    identity: undefined,
  },
} as const;

Deno.test("TlsContexts: without TLS OpenSSL need not be there", () => {
  const contexts = new TlsContexts({ ...NO_TLS, folder: "/nonexistent" });
  assert.equal(contexts.version, "");
  assert.ok(!contexts.hasClients);
  assert.throws(() => contexts.toClient(-1), /there is no certificate/);
  assert.throws(() => contexts.toServer(-1, "db"), /"db" is not known/);
});

Deno.test("TlsContexts: a folder without OpenSSL is named, with what to do", () => {
  assert.throws(
    () => new TlsContexts({ ...NO_TLS, servers: PUBLIC, folder: "/nowhere" }),
    /TLS needs OpenSSL 3, and \/nowhere\/libcrypto\.so\.3 can't be loaded .*install libssl3 .*general\.openssl_folder/,
  );
});

Deno.test("TlsContexts: a machine without public authorities is told of", () => {
  const material = { ...NO_TLS, servers: PUBLIC };
  new TlsContexts(material).close();
  Deno.env.set("SSL_CERT_FILE", "/nonexistent/cert.pem");
  Deno.env.set("SSL_CERT_DIR", "/nonexistent/certs");
  try {
    assert.throws(
      () => new TlsContexts(material),
      /install ca-certificates \(neither \/nonexistent\/cert\.pem nor/,
    );
  } finally {
    Deno.env.delete("SSL_CERT_FILE");
    Deno.env.delete("SSL_CERT_DIR");
  }
});

Deno.test({
  name: "TlsContexts: what OpenSSL does not take leaves all as it was",
  ignore: !Authority.available,
  async fn() {
    await using authority = await Authority.create();
    const one = await authority.issue();
    const two = await authority.issue();
    const contexts = new TlsContexts({ ...NO_TLS, clients: one, version: "1" });
    const encrypted = `${authority.folder}/encrypted.key`;
    await runProgram("openssl", [
      ...["pkey", "-in", one.keyPath, "-out", encrypted],
      ...["-aes256", "-passout", "pass:secret"],
    ]);
    const bad = {
      "another's key": { ...one, key: two.key },
      "an encrypted one": { ...one, key: await Deno.readTextFile(encrypted) },
      "no key": { ...one, key: "" },
      "no certificate": { ...one, certificate: "" },
    };
    for (const [name, clients] of Object.entries(bad)) {
      assert.throws(
        () => contexts.replace({ ...NO_TLS, clients, version: name }),
        /the private key: |no certificate: /,
        name,
      );
      assert.ok(contexts.hasClients, name);
    }
    contexts.replace({ ...NO_TLS, clients: two, version: "2" });
    assert.ok(contexts.hasClients);
    contexts.replace({ ...NO_TLS, version: "3" });
    assert.ok(!contexts.hasClients);
  },
});

Deno.test("TlsContexts: so many steps of handshakes are taken in a turn, and no more", () => {
  const reactor = new EpollReactor();
  const contexts = new TlsContexts(NO_TLS);
  contexts.attach(reactor);
  const taken = () => {
    reactor.turn(0);
    return Array.from({ length: 10 }, () => contexts.takeShake())
      .filter((isTaken) => isTaken).length;
  };
  assert.equal(taken(), 4);
  assert.equal(taken(), 4);
  reactor.end();
});
