import { join } from "node:path";
import { childrenOf } from "../../src/cli/demo/processes.ts";
import { pipe } from "./pipe.ts";
import { waitFor } from "./wait.ts";

const BOOT_TIMEOUT_MS = 30_000;

/**
 * Runs before the container, in a mount namespace of its own, so that nothing
 * has to be undone: a copy-on-write view of this machine's disk, in memory.
 * /run is where systemd-nspawn would leave notes for the host's systemd.
 */
const DISK = `
set -eu
mount -t tmpfs tmpfs "$1/disk"
mkdir "$1/disk/upper" "$1/disk/work" "$1/disk/root"
mount -t overlay overlay "$1/disk/root" \
  -o "lowerdir=/,upperdir=$1/disk/upper,workdir=$1/disk/work"
mount -t tmpfs tmpfs /run
exec systemd-nspawn --quiet --directory="$1/disk/root" --bind-ro="$1/checkout:/checkout" \
  --machine=pgdog-mirror --register=no --keep-unit --link-journal=no --timezone=off \
  --resolv-conf=off --boot systemd.unit=basic.target
`;

/**
 * This machine, booted a second time by its own systemd: a container on a copy
 * of its disk, with its network. Needs root and systemd-nspawn.
 */
export class BootedMachine implements AsyncDisposable {
  readonly #folder = Deno.makeTempDirSync({ prefix: "pgdog-mirror-machine-" });
  /** In the machine as /checkout, read-only there. */
  readonly checkout = join(this.#folder, "checkout");
  #container: Deno.ChildProcess | undefined;
  #leader = 0;
  #console = "";

  constructor() {
    Deno.mkdirSync(this.checkout);
    Deno.mkdirSync(join(this.#folder, "disk"));
  }

  /** @throws {Error} with what its console says, if it does not come up. */
  async boot(): Promise<void> {
    const container = new Deno.Command("unshare", {
      args: [
        ...["--mount", "--propagation", "private"],
        ...["sh", "-c", DISK, "sh", this.#folder],
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#container = container;
    for (const stream of [container.stdout, container.stderr]) {
      (async () => {
        for await (const text of stream.pipeThrough(new TextDecoderStream())) {
          this.#console += text;
        }
      })();
    }
    let ended = false;
    container.status.then(() => ended = true);
    try {
      await waitFor(
        "systemd",
        async () => {
          if (ended) throw new Error("It has ended");
          this.#leader = childrenOf(container.pid)[0]?.pid ?? 0;
          return this.#leader > 0 && await this.#isUp();
        },
        BOOT_TIMEOUT_MS,
      );
    } catch (cause) {
      throw new Error(`No machine came up: ${this.#console}`, { cause });
    }
  }

  #isUp(): Promise<boolean> {
    return this.run("systemctl is-active basic.target").then(
      () => true,
      () => false,
    );
  }

  /**
   * Runs a shell script as root in /checkout, to its end; gives what it says.
   *
   * @throws {Error} with its words if it fails.
   */
  async run(script: string, input = ""): Promise<string> {
    const { code, stdout, stderr } = await pipe(
      "nsenter",
      [
        ...["--target", `${this.#leader}`, "--all", "--wd=/"],
        ...["sh", "-euc", `cd /checkout; ${script}`],
      ],
      input,
      { LC_ALL: "C", SYSTEMD_PAGER: "", PGCONNECT_TIMEOUT: "10" },
    );
    if (code === 0) return stdout.trim();
    throw new Error(`"${script}" ended with ${code}: ${stderr}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      // With the first process all others end, and then systemd-nspawn does.
      if (this.#leader > 0) Deno.kill(this.#leader, "SIGKILL");
      else this.#container?.kill("SIGTERM");
    } catch {
      // It has ended.
    }
    await this.#container?.status;
    await Deno.remove(this.#folder, { recursive: true });
  }
}
