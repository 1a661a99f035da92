import assert from "node:assert/strict";
import { join } from "node:path";
import { writeSingleFile } from "../../tools/single_file.ts";

/** In the place of the runtime: says who it is and what it was given. */
const RUNTIME = `#!/bin/sh
case $0 in */noexec/*) exit 126 ;; esac
[ "$1" = --version ] && exit 0
echo "$$"
[ "\${SHOW_SIGNALS:-}" = "" ] || exec grep -E "Sig(Ign|Blk)" /proc/self/status
for argument in "$@"; do echo "$argument"; done
exit 7
`;
const EVIL = "#!/bin/sh\necho evil\n";

interface Outcome {
  readonly pid: number;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A file as a user has downloaded it, and an empty home for it to unpack to. */
class Download implements AsyncDisposable {
  readonly #folder: string;
  readonly file: string;
  readonly cache: string;
  readonly temporary: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.file = join(folder, "pgdog-mirror");
    this.cache = join(folder, "my cache");
    this.temporary = join(folder, "temporary");
  }

  static async create(): Promise<Download> {
    const folder = await Deno.makeTempDir({ prefix: "pgdog mirror 'file' " });
    const download = new Download(folder);
    await Deno.mkdir(download.temporary);
    const source = join(folder, "source");
    await Deno.mkdir(join(source, "app"), { recursive: true });
    await Deno.writeTextFile(join(source, "app", "main.ts"), "// Sample\n");
    await writeRuntime(join(source, "pgdog-mirror"), RUNTIME);
    const options = { folder: source, version: "1.2.3" };
    await writeSingleFile({ ...options, output: download.file });
    return download;
  }

  /** Where the first choice of its places is. */
  get root(): string {
    return join(this.cache, "pgdog-mirror");
  }

  /** The second one. */
  get temporaryRoot(): string {
    return join(this.temporary, `pgdog-mirror-${Deno.uid()}`);
  }

  get key(): string {
    const key = /^key=(.+)$/m.exec(Deno.readTextFileSync(this.file))?.[1];
    assert.ok(key);
    return key;
  }

  async start(
    args: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ): Promise<Outcome> {
    const child = new Deno.Command(this.file, {
      args: [...args],
      clearEnv: true,
      env: {
        PATH: "/usr/bin:/bin",
        XDG_CACHE_HOME: this.cache,
        TMPDIR: this.temporary,
        ...env,
      },
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const { code, stdout, stderr } = await child.output();
    const decoder = new TextDecoder();
    return {
      pid: child.pid,
      code,
      stdout: decoder.decode(stdout),
      stderr: decoder.decode(stderr),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }
}

async function writeRuntime(path: string, text: string): Promise<void> {
  await Deno.writeTextFile(path, text);
  await Deno.chmod(path, 0o700);
}

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name);
}

Deno.test("single file: the process becomes the program, with its arguments and exit code", async () => {
  await using download = await Download.create();
  const { pid, code, stdout, stderr } = await download.start(["a b", "--help"]);
  const [program, command, ...rest] = stdout.trimEnd().split("\n");
  assert.equal(Number(program), pid);
  assert.equal(command, "run");
  assert.deepEqual(rest.slice(-3), [
    join(download.root, download.key, "app", "main.ts"),
    "a b",
    "--help",
  ]);
  assert.equal(code, 7);
  assert.match(stderr, /^pgdog-mirror: unpacking to .* \(once\)\n$/);
});

Deno.test("single file: the proxy begins with SIGHUP ignored and blocked, other commands do not", async () => {
  await using download = await Download.create();
  const ignored = async (...args: string[]) => {
    const { stdout } = await download.start(args, { SHOW_SIGNALS: "1" });
    const [blocked, ignored] = ["SigBlk", "SigIgn"].map((field) => {
      const mask = new RegExp(`^${field}:\\s*([\\da-f]+)$`, "m").exec(stdout)
        ?.[1];
      assert.ok(mask, stdout);
      return (BigInt(`0x${mask}`) & 1n) === 1n; // SIGHUP is the first
    });
    assert.equal(blocked, ignored);
    return ignored;
  };
  assert.equal(await ignored(), true);
  assert.equal(await ignored("run", "--config", "a.toml"), true);
  assert.equal(await ignored("--config", "a.toml"), true);
  assert.equal(await ignored("--users=b.toml"), true);
  assert.equal(await ignored("check", "--config", "a.toml"), false);
  assert.equal(await ignored("--version"), false);
});

Deno.test("single file: a second start finds it unpacked", async () => {
  await using download = await Download.create();
  await download.start();
  const second = await download.start();
  assert.equal(second.code, 7);
  assert.equal(second.stderr, "");
});

Deno.test("single file: without XDG_CACHE_HOME it is in ~/.cache", async () => {
  await using download = await Download.create();
  for (const XDG_CACHE_HOME of ["", "relative"]) {
    const HOME = join(download.temporary, `home ${XDG_CACHE_HOME}`);
    const { code } = await download.start([], { XDG_CACHE_HOME, HOME });
    assert.equal(code, 7);
    assert.deepEqual(names(join(HOME, ".cache", "pgdog-mirror")), [
      download.key,
    ]);
  }
});

Deno.test("single file: without a home TMPDIR is used", async () => {
  await using download = await Download.create();
  const { code } = await download.start([], { XDG_CACHE_HOME: "" });
  assert.equal(code, 7);
  assert.deepEqual(names(download.temporaryRoot), [download.key]);
});

Deno.test("single file: many first starts at once unpack one program", async () => {
  await using download = await Download.create();
  const starts = await Promise.all(
    Array.from({ length: 8 }, () => download.start()),
  );
  assert.deepEqual(starts.map(({ code }) => code), Array(8).fill(7));
  assert.deepEqual(names(download.root), [download.key]);
});

Deno.test("single file: a planted folder is not run", async (t) => {
  const plant = async (download: Download, mode: number) => {
    const home = join(download.root, download.key);
    await Deno.mkdir(join(home, "app"), { recursive: true });
    await Deno.writeTextFile(join(home, "app", "main.ts"), "");
    await writeRuntime(join(home, "pgdog-mirror"), EVIL);
    await Deno.chmod(download.root, mode);
  };
  for (const mode of [0o770, 0o707]) {
    await t.step(`in a folder of mode ${mode.toString(8)}`, async () => {
      await using download = await Download.create();
      await plant(download, mode);
      const { code, stderr } = await download.start();
      assert.equal(code, 7);
      assert.match(stderr, /my cache\/pgdog-mirror is refused/);
      assert.deepEqual(names(download.temporaryRoot), [download.key]);
    });
  }
  await t.step("unless it is the user's own", async () => {
    await using download = await Download.create();
    await plant(download, 0o700);
    const { stdout } = await download.start();
    assert.equal(stdout, "evil\n");
  });
  await t.step("behind a link", async () => {
    await using download = await Download.create();
    await plant(download, 0o700);
    await Deno.rename(download.root, join(download.cache, "elsewhere"));
    await Deno.symlink("elsewhere", download.root);
    const { code, stderr } = await download.start();
    assert.equal(code, 7);
    assert.match(stderr, /is refused/);
  });
  await t.step("in a place where anybody can exchange folders", async () => {
    await using download = await Download.create();
    await plant(download, 0o700);
    await Deno.chmod(download.cache, 0o777);
    const { code, stderr } = await download.start();
    assert.equal(code, 7);
    assert.match(stderr, /is refused/);
  });
  await t.step("that belongs to somebody else", async () => {
    await using download = await Download.create();
    await plant(download, 0o700);
    // Only root can give a file away.
    if (Deno.uid() !== 0) return;
    await Deno.chown(download.root, 65534, 65534);
    const { code, stderr } = await download.start();
    assert.equal(code, 7);
    assert.match(stderr, /is refused/);
  });
});

Deno.test("single file: what is not whole is unpacked again", async (t) => {
  const changes: Readonly<Record<string, (home: string) => Promise<void>>> = {
    "a file is missing": (home) => Deno.remove(join(home, "app", "main.ts")),
    "a file can be written by others": (home) =>
      Deno.chmod(join(home, "app", "main.ts"), 0o646),
  };
  for (const [change, make] of Object.entries(changes)) {
    await t.step(change, async () => {
      await using download = await Download.create();
      await download.start();
      const home = join(download.root, download.key);
      await make(home);
      const second = await download.start();
      assert.equal(second.code, 7);
      assert.match(second.stderr, /unpacking/);
      assert.deepEqual(names(download.root), [download.key]);
      assert.equal(
        await Deno.readTextFile(join(home, "app", "main.ts")),
        "// Sample\n",
      );
      const third = await download.start();
      assert.equal(third.stderr, "");
    });
  }
});

Deno.test("single file: where the cache can't be made, TMPDIR is used", async () => {
  await using download = await Download.create();
  await Deno.chmod(download.temporary, 0o1777);
  const env = { XDG_CACHE_HOME: "/dev/null/cache" };
  const first = await download.start([], env);
  assert.equal(first.code, 7);
  assert.match(
    first.stderr,
    /^pgdog-mirror: \/dev\/null\/cache\/pgdog-mirror can't be made\n.*unpacking to .*temporary/,
  );
  const second = await download.start([], env);
  assert.equal(second.code, 7);
  assert.equal(second.stderr, "");
});

Deno.test("single file: where no program can be run, TMPDIR is used", async () => {
  await using download = await Download.create();
  const { code, stderr } = await download.start([], {
    XDG_CACHE_HOME: join(download.temporary, "noexec"),
  });
  assert.equal(code, 7);
  assert.match(stderr, /programs can't be run in .*\/noexec\/pgdog-mirror\n/);
});

Deno.test("single file: what could not be unpacked is not run", async () => {
  await using download = await Download.create();
  // As on a full disk: every file is there, and one of them is cut off.
  await writeRuntime(
    join(download.temporary, "tar"),
    `#!/bin/sh\n/bin/tar "$@"\necho "No space left" >&2\nexit 2\n`,
  );
  const { code, stdout, stderr } = await download.start([], {
    PATH: `${download.temporary}:/usr/bin:/bin`,
  });
  assert.equal(code, 2);
  assert.equal(stdout, "");
  assert.match(stderr, /can't unpack to .*my cache.*: No space left\n/);
  assert.deepEqual(names(download.root), []);
  assert.match(stderr, /nowhere to unpack to/);
});

Deno.test("single file: with no place at all it says what to do", async () => {
  await using download = await Download.create();
  const { code, stdout, stderr } = await download.start([], {
    XDG_CACHE_HOME: "/dev/null/cache",
    TMPDIR: "/dev/null/temporary",
  });
  assert.equal(code, 2);
  assert.equal(stdout, "");
  assert.match(stderr, /nowhere to unpack to: set XDG_CACHE_HOME/);
});

Deno.test("single file: a damaged download is named", async (t) => {
  const damages: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = {
    "cut off": (bytes) => bytes.subarray(0, -9),
    "another checksum": (bytes) => {
      const changed = bytes.slice();
      const at = changed.length - 6;
      changed[at] = 255 - (changed[at] ?? 0);
      return changed;
    },
  };
  for (const [name, damage] of Object.entries(damages)) {
    await t.step(name, async () => {
      await using download = await Download.create();
      const bytes = await Deno.readFile(download.file);
      await Deno.writeFile(download.file, damage(bytes));
      const { code, stdout, stderr } = await download.start();
      assert.equal(code, 2);
      assert.equal(stdout, "");
      assert.match(stderr, /pgdog-mirror is damaged, download it again/);
      assert.deepEqual(names(download.root), []);
    });
  }
});

Deno.test("single file: the same folder gives the same file", async () => {
  await using first = await Download.create();
  await using second = await Download.create();
  assert.deepEqual(
    await Deno.readFile(first.file),
    await Deno.readFile(second.file),
  );
});

Deno.test("single file: a link in the folder is refused", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const source = join(folder, "source");
    const target = join(folder, "target");
    await Deno.mkdir(source);
    await Deno.symlink("nowhere", join(source, "link"));
    await assert.rejects(
      writeSingleFile({
        folder: source,
        output: join(target, "file"),
        version: "1",
      }),
      /link" is a link/,
    );
    assert.deepEqual(names(target), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
