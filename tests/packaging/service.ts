import assert from "node:assert/strict";
import postgres from "postgres";
import type { Cluster } from "../support/cluster.ts";
import { mirrored } from "../support/program.ts";
import { freePort } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";

const TIMEOUT_MS = 20_000;
const PACKAGING = new URL("../../packaging/", import.meta.url);

/** How whatever runs the program is told what to do. */
export interface Runner {
  /** Where the program may make its socket. */
  readonly socketFolder: string;
  /** Replaces the text of the configuration file. */
  write(toml: string): Promise<unknown>;
  reload(): Promise<unknown>;
  stop(): Promise<unknown>;
  /** All that the program has logged. */
  log(): Promise<string>;
  /** Of the program's first process. */
  pid(): Promise<string>;
}

/** The shell commands of a section of packaging/README.md. */
export function commands(section: string): string {
  const readme = Deno.readTextFileSync(new URL("README.md", PACKAGING));
  const [, text = ""] = readme.split(`\n## ${section}\n`);
  const [, block = ""] = text.match(/```sh\n([\s\S]*?)```/) ?? [];
  return block;
}

/** The program between two servers, and what must hold whoever runs it. */
export class Service {
  readonly port = freePort();
  readonly #adminPort = freePort();
  readonly #primary: Cluster;
  readonly #mirror: Cluster;
  readonly #runner: Runner;

  constructor(primary: Cluster, mirror: Cluster, runner: Runner) {
    this.#primary = primary;
    this.#mirror = mirror;
    this.#runner = runner;
  }

  /** A configuration; its seventh line has the exposure. */
  toml(exposure: string): string {
    return `
[general]
host = "127.0.0.1"
port = ${this.port}
admin_port = ${this.#adminPort}
unix_socket_dir = "${this.#runner.socketFolder}"
mirror_exposure = ${exposure}
tls_verify = "prefer"
[[databases]]
name = "postgres"
host = "127.0.0.1"
port = ${this.#primary.port}
${mirrored(this.#mirror)}
[plugins.history]
path = "/var/lib/pgdog-mirror/history.sqlite"
interval_ms = 100
[admin]
password = "pw"
`;
  }

  /** Waits until the log has a text so many times. */
  async said(text: string, times = 1): Promise<void> {
    await waitFor(
      `"${text}" in the log, ${times} times`,
      async () => (await this.#runner.log()).split(text).length > times,
      TIMEOUT_MS,
    ).catch(async (cause) => {
      throw new Error(await this.#runner.log(), { cause });
    });
  }

  /** It serves a client, and has found OpenSSL. */
  async answers(): Promise<void> {
    await this.said("TLS is there");
    await using client = this.connection();
    assert.equal((await client.sql`select 'one' as x`)[0]?.x, "one");
  }

  async exposure(): Promise<string | undefined> {
    await using console = connection(this.#adminPort, "admin");
    const rows = await console.sql.unsafe("SHOW CONFIG");
    return rows.find(({ key }) => key === "general.mirror_exposure")?.value;
  }

  /** A client of the proxy. */
  connection(): Connection {
    return connection(this.port, "postgres");
  }

  /** A reload changes what the file changes, and keeps process and client. */
  async reloads(client: Connection): Promise<void> {
    const pid = await this.#runner.pid();
    await this.#reloadWith("0.5");
    await client.sql`select 1`;
    assert.equal(await this.#runner.pid(), pid);
  }

  /** A broken file changes nothing, and the log has its line; a whole one does again. */
  async refusesBrokenFile(client: Connection): Promise<void> {
    const before = await this.exposure();
    const pid = await this.#runner.pid();
    await this.#runner.write(this.toml("nonsense"));
    await this.#runner.reload();
    await this.said("pgdog.toml:7: ");
    assert.equal(await this.#runner.pid(), pid);
    assert.equal(await this.exposure(), before);
    await client.sql`select 1`;
    await this.#reloadWith("1");
  }

  async #reloadWith(exposure: string): Promise<void> {
    await this.#runner.write(this.toml(exposure));
    await this.#runner.reload();
    await waitFor(
      `exposure ${exposure}`,
      async () => await this.exposure() === exposure,
      TIMEOUT_MS,
    );
  }

  /** A stop replays what is queued. */
  async drains(): Promise<void> {
    await this.#mirror.pause();
    await using client = this.connection();
    await client.sql`create table late as select 1 as n`;
    const stopped = this.#runner.stop();
    await this.said("Draining");
    this.#mirror.resume();
    await stopped;
    const [, line = ""] = (await this.#runner.log()).split("Final ledger");
    assert.match(line, /pending=0\b/);
    const direct = postgres(this.#mirror.url(), { max: 1, onnotice() {} });
    assert.equal((await direct`select n from late`)[0]?.n, 1);
    await direct.end();
  }
}

/** A user who can do little, on a disk that is mostly read-only. */
export function assertPlainUser(status: string, uid: string): void {
  assert.notEqual(uid, "0");
  assert.match(status, new RegExp(`^Uid:(\\s+${uid}){4}$`, "m"));
  assert.match(status, /^CapEff:\s+0+$/m);
  assert.match(status, /^Seccomp:\s+2$/m); // a filter
}

type Connection = ReturnType<typeof connection>;

/** A client of this machine's; its password is the console's. */
function connection(port: number, database: string) {
  const user = database === "admin" ? "admin" : "postgres";
  const sql = postgres(
    `postgres://${user}:pw@127.0.0.1:${port}/${database}`,
    { max: 1, fetch_types: false, onnotice() {} },
  );
  return { sql, [Symbol.asyncDispose]: () => sql.end({ timeout: 1 }) };
}
