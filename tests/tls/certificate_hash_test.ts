import assert from "node:assert/strict";
import { join } from "node:path";
import { certificateHash } from "../../src/tls/certificate_hash.ts";
import { Authority } from "../support/certificates.ts";
import { runProgram } from "../support/programs.ts";

/** Signatures, and the hash that RFC 5929, section 4.1, asks for. */
const TABLE = [
  ["rsa", "sha1", "sha256"],
  ["rsa", "sha224", "sha224"],
  ["rsa", "sha256", "sha256"],
  ["rsa", "sha384", "sha384"],
  ["rsa", "sha512", "sha512"],
  ["ec", "sha1", "sha256"],
  ["ec", "sha224", "sha224"],
  ["ec", "sha256", "sha256"],
  ["ec", "sha384", "sha384"],
  ["ec", "sha512", "sha512"],
  ["ed25519", undefined, undefined],
] as const;

Deno.test({
  name: "certificateHash: by the signature's hash function, as openssl has it",
  ignore: !Authority.available,
  async fn() {
    const authorities = {
      rsa: await Authority.create("rsa"),
      ec: await Authority.create("ec"),
      ed25519: await Authority.create("ed25519"),
    };
    for (const [key, digest, expected] of TABLE) {
      const authority = authorities[key];
      const { certificate, certificatePath } = await authority.issue(
        digest && { digest },
      );
      // The chain behind it is not hashed.
      const hash = certificateHash(certificate + authority.certificate);
      const what = `${key} ${digest}`;
      if (expected === undefined) {
        assert.equal(hash, undefined, what);
        continue;
      }
      const der = join(authority.folder, "one.der");
      await runProgram("openssl", [
        ...["x509", "-in", certificatePath, "-outform", "der", "-out", der],
      ]);
      const said = await runProgram("openssl", [
        ...["dgst", `-${expected}`, "-r", der],
      ]);
      assert.ok(hash !== undefined, what);
      assert.equal(hex(hash), said.split(" ")[0], what);
    }
    for (const authority of Object.values(authorities)) {
      await authority[Symbol.asyncDispose]();
    }
  },
});

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
