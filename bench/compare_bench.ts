/**
 * Comparing what primary and mirror answered to one statement: `compare` alone
 * (`src/judge/compare.ts`), and the judge, which also counts, and fills the
 * table of statements (`src/judge/judge.ts`). Beside it a loop over the
 * words of both digests, which is what "are they equal" costs.
 *
 * Not measured: making the digests, and finding the shape (see
 * `digest_bench.ts` and `fingerprint_bench.ts`).
 *
 * ```
 * deno bench -A --no-check bench/compare_bench.ts
 * ```
 *
 * @module
 */

import { TypePair } from "../src/catalog/mod.ts";
import {
  KIND_ERROR,
  STATEMENT_KIND,
  STATEMENT_SQLSTATE,
  STATEMENT_WORDS,
} from "../src/record/mod.ts";
import { compare } from "../src/judge/compare.ts";
import type { Reply } from "../src/judge/surroundings.ts";
import { sqlstate } from "../src/wire/mod.ts";
import { judged } from "./support/judged.ts";
import { selectReply, shapeOf } from "./support/statements.ts";

const TIMES = 1_000;

const shape = shapeOf("SELECT abalance FROM pgbench_accounts WHERE aid = 1");
const ordered = shapeOf("SELECT abalance FROM pgbench_accounts ORDER BY aid");
const primary = selectReply();
const mirrors: Readonly<Record<string, Reply>> = {
  "equal": selectReply(),
  "other rows": selectReply({}, 0x31),
  "an error": selectReply({
    [STATEMENT_KIND]: KIND_ERROR,
    [STATEMENT_SQLSTATE]: sqlstate("42P01"),
  }),
};

/** What nobody reads is not computed. */
let seen = 0;

const around = {
  mode: "rows",
  shape,
  failedBefore: false,
  types: new TypePair(),
  about: () => ({
    columns: () => undefined,
    keys: () => undefined,
    rules: () => ({ columns: [], lagUs: 0, separators: [] }),
    counts: () => undefined,
    pinned: () => false,
    unique: () => false,
    certain: () => true,
    moment: () => undefined,
    sortedOtherwise: () => false,
    placesOfRow: () => undefined,
    skipsNumbers: () => false,
    told: () => false,
    concurrentWrite: () => false,
    concurrentKey: () => false,
    concurrentDefinition: () => false,
    causes: () => ({ primary: 0, mirror: 0 }),
  }),
  onMasked() {},
} as const;

for (const [name, mirror] of Object.entries(mirrors)) {
  const group = `compare: ${name} × 1000`;
  Deno.bench({
    name: "a loop over the words",
    group,
    baseline: true,
    fn() {
      for (let i = 0; i < TIMES; i++) {
        for (let at = 0; at < STATEMENT_WORDS; at++) {
          if (primary.words[at] === mirror.words[at]) seen++;
        }
      }
    },
  });
  Deno.bench("compare", { group }, () => {
    for (let i = 0; i < TIMES; i++) seen += compare(primary, mirror, around);
  });
  const plain = judged(shape, primary, mirror);
  Deno.bench("Judge.pair", { group }, () => {
    for (let i = 0; i < TIMES; i++) plain();
  });
  const sorted = judged(ordered, primary, mirror);
  Deno.bench("Judge.pair, with ORDER BY", { group }, () => {
    for (let i = 0; i < TIMES; i++) sorted();
  });
}

addEventListener("unload", () => {
  if (seen === 0) throw new Error("Nothing was compared");
});
