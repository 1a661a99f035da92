import { PYTHON, runProgram } from "../programs.ts";
import type { TrafficOptions, TrafficResult } from "./traffic.ts";

const PROGRAM = new URL("psycopg_shop.py", import.meta.url).pathname;

/** A smaller shop's clients, by psycopg 3: threads of one program. */
export async function runPsycopg(
  url: string,
  options: Omit<TrafficOptions, "protocol">,
): Promise<TrafficResult> {
  const { way, clients, stepsPerClient, seed = 1 } = options;
  const { durationMs = Infinity, thinkMs = 0 } = options;
  const output = await runProgram(PYTHON, [
    PROGRAM,
    url,
    way,
    ...[clients, seed, stepsPerClient, durationMs / 1e3, thinkMs / 1e3].map(
      String,
    ),
  ]);
  return JSON.parse(output);
}
