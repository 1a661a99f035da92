/** Where the demo's text for people goes. */
export interface Output {
  line(text?: string): void;
  /** Replaces the last progress on a terminal, else says it every few seconds. */
  progress(text: string): void;
}

/** The part of `Deno.stdout` and `Deno.stderr` that is needed. */
export interface Stream {
  writeSync(bytes: Uint8Array): number;
  isTerminal(): boolean;
}

const INTERVAL_MS = 5_000;
const DEFAULT_COLUMNS = 80;
/** Back to the line's begin, and clear it (ECMA-48: CR, EL). */
const REWIND = "\r\x1b[2K";

/** @param columns of the terminal: only a line that fits can be replaced. */
export function createOutput(
  stream: Stream,
  now: () => number = () => performance.now(),
  columns: () => number = terminalColumns,
): Output {
  const terminal = stream.isTerminal();
  let unfinished = false;
  let lastProgress = -Infinity;
  const write = (text: string) => {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) {
      at += stream.writeSync(bytes.subarray(at));
    }
  };
  return {
    line(text = "") {
      write(`${unfinished ? "\n" : ""}${text}\n`);
      unfinished = false;
    },
    progress(text) {
      if (terminal) {
        write(REWIND + [...text].slice(0, columns() - 1).join(""));
        unfinished = true;
      } else if (now() - lastProgress >= INTERVAL_MS) {
        write(`${text}\n`);
        lastProgress = now();
      }
    },
  };
}

function terminalColumns(): number {
  try {
    return Deno.consoleSize().columns || DEFAULT_COLUMNS;
  } catch {
    return DEFAULT_COLUMNS;
  }
}
