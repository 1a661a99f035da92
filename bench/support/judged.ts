import { Catalog } from "../../src/catalog/mod.ts";
import type { Reply } from "../../src/judge/surroundings.ts";
import { createIgnore } from "../../src/judge/ignore.ts";
import { DrawnColumns } from "../../src/judge/drawn_columns.ts";
import { Judge } from "../../src/judge/judge.ts";
import { KnownColumns } from "../../src/judge/known_columns.ts";
import { StatementTable } from "../../src/judge/statement_table.ts";
import type { Shape } from "../../src/sql/shape.ts";
import { ledgerProbes } from "./ledger.ts";
import { DAY_US } from "./tapped.ts";

/** A mirror's judge, as a lane has it; each call judges the pair once more. */
export function judged(shape: Shape, primary: Reply, mirror: Reply) {
  const target = {
    probes: ledgerProbes("mirror"),
    table: new StatementTable({
      database: "shop",
      mirror: "shop_18",
    }),
    catalog: new Catalog(),
    ignored: createIgnore([]),
    columns: new KnownColumns(),
    drawn: new DrawnColumns(),
    settings: { examples: "redacted" },
  } as const;
  const judge = new Judge(target, 0, 1);
  const pair = {
    shape,
    rows: undefined,
    primary,
    mirror,
    primaryUs: 83,
    queuedUs: 0,
    mirrorQueuedUs: 0,
    mirrorUs: 91,
    cycleStartUs: 0,
    cycleEndUs: 83,
  };
  judge.begin(
    {
      bytes: new Uint8Array(0),
      cycles: new Uint32Array(0),
      answers: new Uint8Array(0),
      statements: new Uint32Array(0),
      size: 0,
      startUs: DAY_US,
      endUs: DAY_US + 83,
      roundTripUs: 20,
      comparison: { mode: "rows", bytes: 65_536 },
    },
    () => false,
    20,
  );
  return () => judge.pair(pair, DAY_US + 1_000);
}
