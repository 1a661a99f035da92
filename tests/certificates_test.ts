import assert from "node:assert/strict";
import { Certificates } from "../src/certificates.ts";
import { parseConfig } from "../src/config/mod.ts";
import { Authority } from "./support/certificates.ts";
import { hasProgram, runProgram } from "./support/programs.ts";
import { waitFor } from "./support/wait.ts";

/** A database whose server's certificate must be signed by the authority of a file. */
function configOf(authority: string) {
  return parseConfig(
    `[[databases]]
name = "shop"
host = "localhost"
tls_verify = "verify-full"
tls_server_ca_certificate = "${authority}"
`,
    "f",
    {},
  ).config;
}

Deno.test({
  name:
    "Certificates: a look that began before a RELOAD does not bring the old configuration back",
  ignore: !Authority.available || !hasProgram("mkfifo"),
  async fn() {
    await using authority = await Authority.create();
    const [one, two, three] = await Promise.all(
      ["one", "two", "three"].map(async (name) =>
        (await authority.issue({ name })).certificate
      ),
    ) as [string, string, string];
    const [before, after] = ["before", "after"].map((name) =>
      `${authority.folder}/${name}.pem`
    ) as [string, string];
    await Deno.writeTextFile(before, one);
    await Deno.writeTextFile(after, two);
    const silent = () => {};
    const log = { debug: silent, info: silent, warn: silent, error: silent };
    const certificates = await Certificates.create(
      configOf(before),
      log,
      () => {},
      100,
    );
    try {
      const authorityNow = () => certificates.material.servers.shop?.ca;
      assert.equal(authorityNow(), one);
      // The next look begins to read, and waits.
      await Deno.remove(before);
      await runProgram("mkfifo", [before]);
      const pipe = await Deno.open(before, { write: true });
      await certificates.reload(configOf(after));
      assert.equal(authorityNow(), two);
      await pipe.write(new TextEncoder().encode(three));
      pipe.close();
      // What is looked at from now on is the new configuration's.
      await Deno.writeTextFile(after, three);
      await waitFor(
        "the new file's certificate",
        () => authorityNow() === three,
        10_000,
      );
      await Deno.writeTextFile(after, one);
      await waitFor(
        "the same once more",
        () => authorityNow() === one,
        10_000,
      );
    } finally {
      certificates.close();
      // Lets go whatever still waits for the pipe's other end.
      (await Deno.open(before, { read: true, write: true })).close();
    }
  },
});
