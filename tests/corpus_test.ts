import assert from "node:assert/strict";
import Table from "cli-table3";
import { loadModule } from "libpg-query";
import { type CorpusCase, readCorpus } from "./support/corpus.ts";
import { createRooms, playBatch } from "./support/corpus_batch.ts";
import {
  compileLocale,
  startClusterWithLocales,
} from "./support/corpus_locale.ts";
import type { Judgement } from "./support/corpus_judgement.ts";

/** Cases of one proxy. */
const BATCH = 32;
/** For one's own use: only cases whose name or file has this text. */
const ONLY = Deno.env.get("CORPUS_ONLY") ?? "";

Deno.test({
  name: "corpus: each case is judged as its file says",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await loadModule();
    const folder = await Deno.makeTempDir();
    await compileLocale(folder);
    const start = (version: "15" | "18") =>
      startClusterWithLocales(version, folder);
    await using primary = await start("15");
    await using twin = await start("15");
    await using next = await start("18");
    const servers = { primary, mirrors: { "15": twin, "18": next } };
    await createRooms(servers, BATCH);
    const all = await readCorpus(new URL("corpus/", import.meta.url));
    const cases = all.filter(({ file, name }) =>
      `${file}: ${name}`.includes(ONLY)
    );
    const wrong: string[] = [];
    const counts = new Map<string, number[]>();
    for (let at = 0; at < cases.length; at += BATCH) {
      const batch = cases.slice(at, at + BATCH);
      const judgements = await playBatch(batch, servers);
      batch.forEach((one, i) => {
        const judgement = judgements[i] as Judgement; // one for each case
        count(counts, one, judgement);
        const complaint = complaintOf(one, judgement);
        if (complaint !== undefined) wrong.push(complaint);
      });
    }
    await Deno.remove(folder, { recursive: true });
    console.log(tableOf(counts));
    assert.deepEqual(wrong, []);
  },
});

/** How a case differs from what its file says of it. */
function complaintOf(
  one: CorpusCase,
  judgement: Judgement,
): string | undefined {
  const { found, isNotNamed } = judgement;
  const { file, name, expect, today } = one;
  const isRight = found === expect;
  if (isRight && today !== undefined) {
    return `${file}: "${name}" is right now: take its "today" away`;
  }
  const fault = isNotNamed
    ? "not named"
    : expect === "clean"
    ? "false alarm"
    : "missed";
  return isRight || today === fault
    ? undefined
    : `${file}: "${name}" is ${found}, not ${expect} (${fault})`;
}

function count(
  counts: Map<string, number[]>,
  { file, expect }: CorpusCase,
  { found, isNotNamed }: Judgement,
): void {
  const row = counts.get(file) ?? [0, 0, 0, 0, 0];
  counts.set(file, row);
  const column = expect === "clean"
    ? found === expect ? 3 : 4
    : isNotNamed
    ? 1
    : found === expect
    ? 0
    : 2;
  row[column] = (row[column] ?? 0) + 1;
}

function tableOf(counts: ReadonlyMap<string, readonly number[]>): string {
  const head = ["found", "not named", "missed", "clean", "false alarms"];
  const table = new Table({
    head: ["file", ...head],
    style: { head: [], border: [] },
  });
  const sums = head.map(() => 0);
  for (const [file, row] of [...counts].toSorted()) {
    table.push([file, ...row]);
    row.forEach((n, i) => sums[i] = (sums[i] ?? 0) + n);
  }
  table.push(["all", ...sums]);
  return table.toString();
}
