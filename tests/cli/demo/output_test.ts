import assert from "node:assert/strict";
import { createOutput } from "../../../src/cli/demo/output.ts";

/** Takes at most seven bytes at a time, as a full pipe may. */
function collect(terminal: boolean) {
  const bytes: number[] = [];
  return {
    stream: {
      isTerminal: () => terminal,
      writeSync(chunk: Uint8Array) {
        bytes.push(...chunk.subarray(0, 7));
        return Math.min(7, chunk.length);
      },
    },
    text: () => new TextDecoder().decode(new Uint8Array(bytes)),
  };
}

Deno.test("output: a terminal's progress replaces itself, and a line ends it", () => {
  const { stream, text } = collect(true);
  const output = createOutput(stream);
  output.progress("1 of 3");
  output.progress("2 of 3");
  output.line("ready, é");
  output.line();
  assert.equal(text(), "\r\x1b[2K1 of 3\r\x1b[2K2 of 3\nready, é\n\n");
});

Deno.test("output: progress is cut where the terminal's line ends", () => {
  const { stream, text } = collect(true);
  createOutput(stream, () => 0, () => 6).progress("ééé·123");
  assert.equal(text(), "\r\x1b[2Kééé·1");
});

Deno.test("output: without a terminal progress is a line every five seconds", () => {
  const { stream, text } = collect(false);
  let now = 0;
  const output = createOutput(stream, () => now);
  for (now = 0; now <= 10_000; now += 1_000) output.progress(`${now}`);
  assert.equal(text(), "0\n5000\n10000\n");
});
