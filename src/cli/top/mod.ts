/**
 * `pgdog-mirror top`: what the web page shows, in a terminal.
 *
 * @module
 */

import { type AskOptions, askTarget, resolveTarget } from "../ask.ts";
import { verdictCode } from "../readiness.ts";
import type { Live, Readiness } from "./answers.ts";
import { frame, type FrameInput, worstMirror } from "./frame.ts";
import { Terminal } from "./terminal.ts";

const PERIOD_MS = 1_000;
const TIMEOUT_MS = 4_000;
/** As much past as the widest sparkline shows. */
const PAST_MS = 120_000;
const KEYS = "q: quit  Tab: next mirror";
const COLUMNS_WITHOUT_TERMINAL = 120;

type Answers = Pick<FrameInput, "live" | "readiness">;

/**
 * Shows a running proxy until `q`, Ctrl-C or SIGTERM, and returns 0. Without a
 * terminal it prints one frame and returns the verdict's exit code.
 *
 * @throws {Error} if the proxy can't be asked the first time.
 */
export async function top(options: AskOptions): Promise<number> {
  const target = await resolveTarget(options);
  const look = async (since: number): Promise<Answers> => {
    const [live, readiness] = await Promise.all([
      askTarget(target, `/live?since=${since}`, TIMEOUT_MS),
      askTarget(target, "/readiness", TIMEOUT_MS),
    ]);
    return {
      live: JSON.parse(live) as Live,
      readiness: JSON.parse(readiness) as Readiness,
    };
  };
  const first = await look(0);
  if (Terminal.isThere()) {
    await watch(first, look);
    return 0;
  }
  const lines = frame({ ...first, now: Date.now() }, {
    columns: Number(Deno.env.get("COLUMNS")) || COLUMNS_WITHOUT_TERMINAL,
    rows: Infinity,
    colour: false,
  });
  console.log(lines.join("\n"));
  return verdictCode(first.readiness.state);
}

async function watch(
  first: Answers,
  look: (since: number) => Promise<Answers>,
): Promise<void> {
  const terminal = new Terminal();
  const colour = Deno.env.get("NO_COLOR") === undefined;
  const ended = Promise.withResolvers<void>();
  let input: FrameInput = { ...first, now: Date.now() };
  let heardAt = Date.now();

  const draw = () =>
    terminal.draw(frame({ ...input, now: Date.now(), keys: KEYS }, {
      ...terminal.size(),
      colour,
    }));
  const onKey = (key: string) => {
    if (key === "q" || key === "Q" || key === CTRL_C) ended.resolve();
    if (key === "\t" && input.live.mirrors.length > 0) {
      const shown = input.mirror ?? worstMirror(input);
      input = { ...input, mirror: (shown + 1) % input.live.mirrors.length };
      draw();
    }
  };
  async function next(): Promise<void> {
    try {
      const answers = await look(input.live.at - PAST_MS);
      heardAt = Date.now();
      input = { ...answers, mirror: input.mirror, now: heardAt };
    } catch (error) {
      const reason = (error as Error).message;
      input = { ...input, lost: { since: heardAt, reason } };
    }
  }

  const stop = () => ended.resolve();
  const signals = [["SIGWINCH", draw], ["SIGTERM", stop], [
    "SIGHUP",
    stop,
  ]] as const;
  for (const [signal, act] of signals) Deno.addSignalListener(signal, act);
  terminal.open();
  try {
    draw();
    void readKeys(onKey);
    for (let running = true; running;) {
      const period = Promise.withResolvers<void>();
      const timer = setTimeout(period.resolve, PERIOD_MS);
      running = await Promise.race([
        period.promise.then(() => true),
        ended.promise.then(() => false),
      ]);
      clearTimeout(timer);
      if (!running) break;
      running = await Promise.race([
        next().then(() => true),
        ended.promise.then(() => false),
      ]);
      if (running) draw();
    }
  } finally {
    terminal.restore();
    for (const [signal, act] of signals) Deno.removeSignalListener(signal, act);
  }
}

const CTRL_C = "\x03";

/** For as long as there is a terminal; ends with the process. */
async function readKeys(onKey: (key: string) => void): Promise<void> {
  const buffer = new Uint8Array(64);
  const decoder = new TextDecoder();
  for (;;) {
    const length = await Deno.stdin.read(buffer).catch(() => null);
    if (length === null) return;
    for (const key of decoder.decode(buffer.subarray(0, length))) onKey(key);
  }
}
