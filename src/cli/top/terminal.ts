/** Modes of a terminal (xterm's control sequences, private modes). */
const ALTERNATE_SCREEN = "?1049";
const CURSOR = "?25";
const AUTOWRAP = "?7";
const encoder = new TextEncoder();

/** A whole screen to draw on, until {@linkcode Terminal.restore}. */
export class Terminal {
  #open = false;

  /** Whether standard input and output are a terminal that can be drawn on. */
  static isThere(): boolean {
    return Deno.stdin.isTerminal() && Deno.stdout.isTerminal() &&
      Deno.env.get("TERM") !== "dumb";
  }

  /** Takes the screen, and every key as it is pressed. */
  open(): void {
    this.#open = true;
    Deno.stdin.setRaw(true);
    // A wide character may make a line longer than it was counted: it must not wrap.
    write(`\x1b[${ALTERNATE_SCREEN}h\x1b[${CURSOR}l\x1b[${AUTOWRAP}l`);
  }

  size(): { readonly columns: number; readonly rows: number } {
    return Deno.consoleSize();
  }

  /** Replaces what is on the screen, without a moment of emptiness. */
  draw(lines: readonly string[]): void {
    write(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join("\r\n")}\x1b[J`);
  }

  /** Gives the screen back as it was. May be called twice. */
  restore(): void {
    if (!this.#open) return;
    this.#open = false;
    write(`\x1b[${AUTOWRAP}h\x1b[${CURSOR}h\x1b[${ALTERNATE_SCREEN}l`);
    Deno.stdin.setRaw(false);
  }
}

/** Standard output may take a part only. */
function write(text: string): void {
  const bytes = encoder.encode(text);
  for (let at = 0; at < bytes.length;) {
    at += Deno.stdout.writeSync(bytes.subarray(at));
  }
}
