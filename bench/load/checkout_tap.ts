/**
 * Tap and capture of another checkout, for `checkouts.ts`: reads "KIND TIMES"
 * line by line, and answers with nanoseconds of CPU time per transaction.
 *
 * @module
 */

import { createInterface } from "node:readline";
import process from "node:process";
import type { Exchange } from "../support/bytes.ts";
import type { Tapped } from "../support/tapped.ts";

/** One of this size is every worker's read buffer. */
const scratch = new Uint8Array(128 * 1024);
let nowUs = 86_400_000_000.25;

const [folder = ""] = Deno.args;
const from = (path: string) => import(`file://${folder}/bench/support/${path}`);
const [bytes, { Tapped: Session }, { ledgerProbes }] = await Promise.all(
  ["bytes.ts", "tapped.ts", "ledger.ts"].map(from),
);
const { request, reply } = bytes.SELECT.simple[0] as Exchange;
const description = reply.subarray(0, 34);
const complete = reply.subarray(-20);
const result = (size: number): Exchange[] => {
  const rows = bytes.accountRows(size) as Uint8Array;
  const parts = [description, rows, complete];
  const whole = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return [{ request, reply: whole }];
};
const kinds: Readonly<Record<string, readonly Exchange[]>> = {
  ...bytes.SELECT,
  tpcb: bytes.TPCB,
  "30 rows": result(3_400),
  "60 KiB": result(60 * 1024),
};
const tapped = new Session(true, ledgerProbes()) as Tapped;

function run(exchanges: readonly Exchange[], times: number, isTapped: boolean) {
  const { tap, consumer } = tapped;
  for (let i = 0; i < times; i++) {
    for (let j = 0; j < exchanges.length; j++) {
      const { request, reply } = exchanges[j] as Exchange; // below length
      scratch.set(request);
      if (isTapped) tap.client(scratch, request.length, nowUs);
      nowUs += 83.5;
      scratch.set(reply);
      if (isTapped) tap.server(scratch, reply.length, nowUs);
    }
    while (consumer.next() >= 0) consumer.release();
  }
}

/** Nanoseconds for each of `times`. */
function measure(exchanges: readonly Exchange[], times: number, tap: boolean) {
  const before = process.cpuUsage();
  run(exchanges, times, tap);
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1e3 / times;
}

for (let i = 0; i < 200; i++) {
  for (const exchanges of Object.values(kinds)) {
    run(exchanges, 100, true);
    run(exchanges, 20, false);
  }
}
console.log(JSON.stringify(Object.keys(kinds)));
for await (const line of createInterface({ input: process.stdin })) {
  const [kind = "", times = ""] = line.split("\t");
  const exchanges = kinds[kind] ?? [];
  const whole = measure(exchanges, Number(times), true);
  // What it costs to put the bytes there is not the tap's.
  console.log(whole - measure(exchanges, Number(times), false));
}
