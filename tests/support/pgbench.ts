import { runProgram } from "./programs.ts";

/** pgbench's arguments for a server on this machine. */
export function server(port: number): string[] {
  return ["-h", "127.0.0.1", "-p", `${port}`, "-U", "postgres"];
}

/** What a run of {@linkcode runScript} is made of. */
export interface ScriptRun {
  readonly port: number;
  /** A file of pgbench's language. */
  readonly path: string;
  readonly mode: "simple" | "extended" | "prepared";
  readonly clients: number;
  readonly transactionsPerClient: number;
  /** Transactions per second of all clients; 0: as many as go. */
  readonly rate: number;
}

/**
 * Runs a script of one's own, of which pgbench sends nothing besides: it does
 * not vacuum, and asks no server how large its tables are.
 *
 * @throws {Error} if a client saw an error, or not all was done.
 */
export async function runScript(run: ScriptRun): Promise<void> {
  const output = await runProgram("pgbench", [
    ...server(run.port),
    ...["-n", "-M", run.mode, "-f", run.path, "-j", "2"],
    ...["-c", `${run.clients}`, "-t", `${run.transactionsPerClient}`],
    ...(run.rate > 0 ? ["-R", `${run.rate}`] : []),
    "postgres",
  ]);
  const all = run.clients * run.transactionsPerClient;
  const done = `number of transactions actually processed: ${all}/${all}\n`;
  if (!output.includes(done) || !output.includes("failed transactions: 0 ")) {
    throw new Error(`Not all was done: ${output}`);
  }
}
