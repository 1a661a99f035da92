/**
 * Reads process ids until our end of the pipe closes, which it does however
 * this process ends; then stops the last one and removes the folder. An empty
 * line means that there is none.
 */
const SCRIPT = `
pid=
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
  kill -QUIT "$pid"; kill -CONT "$pid"
  n=0
  while kill -0 "$pid" && [ $n -lt 100 ]; do sleep 0.1; n=$((n + 1)); done
  kill -KILL "$pid"
fi
rm -rf "$1"
`;

/**
 * A process that outlives this one by a moment, so that no server and no
 * folder stay behind, even after SIGKILL.
 */
export class Guard {
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#input = process.stdin.getWriter();
  }

  /** @param folder removed at the end. */
  static start(folder: string): Guard {
    return new Guard(
      new Deno.Command("sh", {
        args: ["-c", SCRIPT, "sh", folder],
        detached: true, // Ctrl-C is for us, not for it
        stdin: "piped",
        stdout: "null",
        stderr: "null",
      }).spawn(),
    );
  }

  /** Names the process to stop, instead of the one before; undefined: none. */
  async watch(pid: number | undefined): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${pid ?? ""}\n`));
  }

  /** Removes the folder, and stops what is still watched. */
  async release(): Promise<void> {
    await this.#input.close();
    await this.#process.status;
  }
}
