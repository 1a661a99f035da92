import { NO_LATENCY } from "../../support/sketches.ts";
import assert from "node:assert/strict";
import { dashboard } from "../../../plugins/dashboard/mod.ts";
import type { LiveDocument } from "../../../plugins/dashboard/live.ts";
import { mirrorStats } from "../../../plugins/mirror_stats/mod.ts";
import {
  Dropped,
  Excluded,
  Result,
  RESULTS,
  StatementStore,
  type StatementSummary,
} from "../../../src/stats/mod.ts";
import type { PluginHostOptions } from "../../../src/plugin/mod.ts";
import { waitFor } from "../../support/wait.ts";
import { ANN, BOB, type Counted, counted, replay, WEB } from "../fixture.ts";

function started(options: Partial<PluginHostOptions> = {}) {
  return counted([mirrorStats, dashboard], options);
}

async function live({ host }: Counted, query = ""): Promise<LiveDocument> {
  const route = host.routes.find(({ path }) => path === "/live");
  const request = new Request(`http://localhost/live${query}`);
  return await (await route?.handle(request))?.json();
}

const EMPTY = { counts: [], sum: 0, count: 0 };

function summary(
  fingerprint: string,
  parts: Partial<StatementSummary> = {},
): StatementSummary {
  return {
    database: "shop",
    mirror: "shop_18",
    fingerprint,
    text: `select ${fingerprint}`,
    calls: 1,
    results: RESULTS.map(() => 0),
    outcomes: [],
    rows: 1,
    primary: EMPTY,
    mirrorLatency: EMPTY,
    ...NO_LATENCY,
    firstSeen: 1,
    lastSeen: 2,
    masked: {},
    drifted: [],
    examples: [],
    ...parts,
  };
}

function results(result: number, n: number): number[] {
  return RESULTS.map((_, i) => i === result ? n : 0);
}

Deno.test("/live: the ledger of each mirror, over its users, with reasons, and it closes", async () => {
  const all = started();
  replay(all, ANN, { times: 3 });
  replay(all, BOB, { times: 2 });
  replay(all, WEB);
  const ann = all.series(ANN);
  all.proxy.requestSeen(ann);
  all.proxy.requestDropped(ann, Dropped.tooLarge);
  all.proxy.requestSeen(ann);
  all.proxy.requestExcluded(ann, Excluded.level);
  all.proxy.requestSeen(ann);
  all.mirror.statementCompared(ann, Result.mismatchRows, 0.1);

  const { mirrors, version, showsValues, hasHistory } = await live(all);
  assert.deepEqual([version, showsValues, hasHistory], ["1.2.3", false, false]);
  const [shop, web] = mirrors;
  assert.deepEqual(shop?.ledger, {
    seen: 8,
    excluded: { total: 1, reasons: { level: 1 } },
    dropped: { total: 1, reasons: { too_large: 1 } },
    replayed: 5,
    failed: { total: 0, reasons: {} },
    pending: 1,
  });
  assert.deepEqual(Object.keys(shop?.results ?? {}), [...RESULTS]);
  assert.equal(shop?.results.mismatch_rows, 1);
  assert.equal(web?.ledger.seen, 1);
  assert.deepEqual([web?.database, web?.mirror], ["web", "web_18"]);
});

Deno.test("/live: what did not fit into the registry is a mirror of its own", async () => {
  const all = started();
  for (let i = 0; i < 300; i++) replay(all, ["shop", "shop_18", `user ${i}`]);
  const { mirrors } = await live(all);
  assert.deepEqual(mirrors.map(({ mirror }) => mirror), [
    "shop_18",
    "web_18",
    "other",
  ]);
  assert.equal(mirrors.reduce((sum, m) => sum + m.ledger.seen, 0), 300);
});

Deno.test("/live: values of examples are there only if HTTP asks for a token", async () => {
  const side = {
    kind: "complete",
    sqlstate: null,
    tag: "SELECT",
    rows: 1,
    detail: "[secret]",
  };
  const example = {
    at: 1,
    result: "mismatch_rows",
    primary: side,
    mirror: side,
    session: 1,
    difference: "row 1, column a (text)",
    values: "[secret]",
  };
  for (const httpProtected of [false, true]) {
    const statements = new StatementStore();
    statements.update(changes([summary("a", {
      results: results(Result.mismatchRows, 4),
      examples: Array.from({ length: 5 }, () => example),
    })]));
    const { mirrors, showsValues } = await live(
      started({ statements, httpProtected }),
    );
    assert.equal(showsValues, httpProtected);
    const [statement] = mirrors[0]?.statements ?? [];
    assert.deepEqual(
      statement?.examples.flatMap((
        { values, primary, mirror },
      ) => [values, primary.detail, mirror.detail]),
      Array(9).fill(httpProtected ? "[secret]" : null),
    );
    assert.equal(statement?.mismatches, 4);
    assert.deepEqual(statement?.results, { mismatch_rows: 4 });
  }
});

Deno.test("/live: the worst statements come first, each with its own mirror, and are bounded", async () => {
  const statements = new StatementStore();
  statements.update(changes([
    ...Array.from({ length: 40 }, (_, i) => summary(`equal ${i}`)),
    summary("few", { results: results(Result.mismatchSqlstate, 2) }),
    summary("many", { results: results(Result.mismatchRows, 9) }),
    summary("web", { database: "web", mirror: "web_18" }),
  ]));
  const { mirrors: [shop, web] } = await live(started({ statements }));
  const names = shop?.statements.map(({ fingerprint }) => fingerprint) ?? [];
  assert.deepEqual(names.slice(0, 2), ["many", "few"]);
  assert.equal(names.length, 20);
  assert.deepEqual(web?.statements.map((s) => s.fingerprint), ["web"]);
});

Deno.test("/live: recent points tell of the last seconds, and of none twice", async () => {
  const all = started({ sampleMs: 1 });
  replay(all, ANN, { times: 10, latencySeconds: 0.2 });
  await all.host.start();
  try {
    const points = async (query = "") => {
      let recent = (await live(all, query)).mirrors[0]?.recent;
      await waitFor("a point", async () => {
        recent = (await live(all, query)).mirrors[0]?.recent;
        return (recent?.at.length ?? 0) > 0;
      }, 5_000);
      assert.ok(recent);
      return recent;
    };
    const first = await points();
    const last = first.at.at(-1) ?? 0;
    const later = await points(`?since=${last}`);
    assert.ok(later.at.every((at) => at > last));
    const lengths = Object.values(later).map((column) => column.length);
    assert.deepEqual(new Set(lengths).size, 1, "columns of one length");
    const odd = await live(all, "?since=x");
    assert.ok((odd.mirrors[0]?.recent.at.length ?? 0) > 0);
  } finally {
    await all.host.close();
  }
});

function changes(summaries: readonly StatementSummary[]) {
  return { database: "shop", mirror: "shop_18", gone: [], summaries };
}
