import assert from "node:assert/strict";
import {
  changesBetween,
  parseConfig,
  withFixedKeys,
} from "../../src/config/mod.ts";

const BASE = `
[general]
port = 6432
mirror_queue = 10
[[databases]]
name = "shop"
host = "a"
[[databases]]
name = "next"
host = "b"
user = "mirror"
[[mirroring]]
source_db = "shop"
destination_db = "next"
[admin]
password = "old"
`;

const read = (text: string) => parseConfig(text, "test.toml", {}).config;

Deno.test("changesBetween: names every key that differs, never a value", () => {
  const next = BASE
    .replace("port = 6432", "port = 6433")
    .replace("mirror_queue = 10", "mirror_queue = 11")
    .replace('host = "b"', 'host = "c"\npassword = "secret"')
    .replace(
      'destination_db = "next"',
      'destination_db = "next"\nexposure = 0.5',
    )
    .replace('"old"', '"new"') +
    '[[databases]]\nname = "extra"\nhost = "d"\n[[ignore]]\nclass = "rows"\nreason = "known"\n[[exclude]]\nuser = "a"\nreason = "known"\n[[plugin]]\npath = "x.ts"\n';
  assert.deepEqual(changesBetween(read(BASE), read(next)), [
    { key: "general.port", effect: "needs a restart" },
    { key: "general.mirror_queue", effect: "changed" },
    { key: "admin.password", effect: "changed" },
    { key: "databases.next.host", effect: "changed" },
    { key: "databases.next.password", effect: "changed" },
    { key: "databases.extra", effect: "added" },
    { key: "mirroring.shop/next.exposure", effect: "changed" },
    { key: "ignore", effect: "changed" },
    { key: "exclude", effect: "changed" },
    { key: "plugin", effect: "needs a restart" },
  ]);
  assert.deepEqual(changesBetween(read(BASE), read(BASE)), []);
});

Deno.test("withFixedKeys: what needs a restart stays, the rest is new", () => {
  const next = read(
    BASE.replace("port = 6432", "port = 6433\nworkers = 7")
      .replace("mirror_queue = 10", "mirror_queue = 11")
      .replace("[admin]", '[admin]\nname = "console"'),
  );
  const { general, admin } = withFixedKeys(read(BASE), next);
  assert.equal(general.port, 6432);
  assert.equal(general.workers, 0);
  assert.equal(general.mirror_queue, 11);
  assert.equal(admin.name, "admin");
});
