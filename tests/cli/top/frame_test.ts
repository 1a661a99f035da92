import assert from "node:assert/strict";
import type {
  Gate,
  Live,
  LiveMirror,
  Readiness,
  Verdict,
} from "../../../src/cli/top/answers.ts";
import {
  frame,
  type FrameInput,
  type FrameOptions,
} from "../../../src/cli/top/frame.ts";
import { clip, printable, sparkline } from "../../../src/cli/top/text.ts";

const GATES: readonly Gate[] = [
  { gate: "latency", status: "pass", sentence: "Fast." },
  { gate: "runtime", status: "insufficient", sentence: "0.50 hours." },
  { gate: "mismatch_rate", status: "fail", sentence: "3 of 9 differ." },
  { gate: "lag", status: "pass", sentence: "No lag." },
];

const VERDICT: Verdict = {
  headline: "NOT READY",
  state: "NOT READY",
  score: 65,
  recommendation: "Address the issues first",
  reasons: [],
  gates: GATES,
};

const SHOP: LiveMirror = {
  database: "shop",
  mirror: "shop_next",
  ledger: {
    seen: 1_234,
    excluded: { total: 0, reasons: {} },
    dropped: { total: 4, reasons: { queue_full: 3, too_large: 1 } },
    replayed: 1_229,
    failed: { total: 0, reasons: {} },
    pending: 1,
  },
  results: { match: 1_200, noise_volatile: 0, mismatch_row_count: 29 },
  consecutiveErrors: 0,
  recent: {
    at: [1, 2, 3],
    primaryP50Ms: [1, 1, 0.5],
    primaryP99Ms: [2, 2, 2],
    mirrorP50Ms: [1, 1, 1.25],
    mirrorP99Ms: [4, null, 8],
    lagSeconds: [null, null, 0.25],
    pending: [0, 0, 1],
    seenPerSecond: [10, 20, 40],
    replayedPerSecond: [10, 20, 39.6],
  },
  statements: [{
    text: "select *\n  from item",
    calls: 1_000,
    mismatches: 29,
    results: { match: 971, mismatch_row_count: 29 },
    latency: { ratio: 1.5 },
  }, {
    text: "select 1",
    calls: 200,
    mismatches: 0,
    results: { match: 200 },
    latency: { ratio: null },
  }],
};

const LIVE: Live = {
  at: Date.parse("2026-01-02T03:04:05"),
  startedAt: Date.parse("2026-01-02T01:02:05"),
  version: "1.2.3",
  clients: 12,
  servers: { shop: "15.18", shop_next: "18.4" },
  mirrors: [SHOP],
};

const READINESS: Readiness = {
  ...VERDICT,
  mirrors: [{ database: "shop", mirror: "shop_next", verdict: VERDICT }],
};

function drawn(
  parts: Partial<FrameInput> = {},
  options: Partial<FrameOptions> = {},
): string[] {
  return frame(
    { live: LIVE, readiness: READINESS, now: LIVE.at, ...parts },
    { columns: 80, rows: Infinity, colour: false, ...options },
  );
}

Deno.test("top: a frame as text", () => {
  assert.deepEqual(
    drawn().map((line) => line.trimEnd()),
    `PgDog Mirror 1.2.3  live 03:04:05  up 2 h 2 min  12 clients
shop PostgreSQL 15.18 → shop_next PostgreSQL 18.4

NOT READY  Address the issues first (score 65 of 100 towards READY)
  ✕ mismatch rate       3 of 9 differ.
  … runtime             0.50 hours.
  ✓ latency             Fast.
  ✓ lag                 No lag.

seen 1,234 = excluded 0 + dropped 4 + replayed 1,229 + failed 0 + pending 1
dropped queue full 3, dropped too large 1
statements: match 1,200, mismatch row count 29

primary  p50 0.50 ms   p99 2.00 ms  ▂▂▂
mirror   p50 1.25 ms   p99 8.00 ms  ▄ █
lag      250 ms                       █
pending  1                          ▁▁█
rate     40 seen/s, 40 replayed/s   ▂▄█

  differ    calls    time  worst statements
      29    1,000   1.50×  [row count] select * from item
       0      200       –  select 1`.split("\n"),
  );
});

Deno.test("top: nothing is wider or higher than the window, the sum is whole, what fails stays", () => {
  for (const columns of [1, 20, 40, 79, 200]) {
    for (const rows of [1, 8, 24]) {
      const lines = drawn({}, { columns, rows });
      assert.ok(lines.length <= rows, `${lines.length} of ${rows} rows`);
      for (const line of lines) assert.ok([...line].length <= columns, line);
    }
  }
  const low = drawn({}, { columns: 40, rows: 24 }).join("\n");
  assert.match(low, /✕ mismatch rate/);
  assert.match(low, /✓ latency, lag/);
  assert.match(
    low,
    /^seen 1,234 = excluded 0 \+ dropped 4\n\+ replayed 1,229 \+ failed 0 \+ pending 1$/m,
  );
});

Deno.test("top: colours are put around, and only if they are wanted", () => {
  const coloured = drawn({}, { colour: true }).join("\n");
  assert.ok(coloured.includes("\x1b[31mNOT READY\x1b[0m"));
  assert.equal(
    coloured.split("\x1b").map((part) => part.replace(/^\[\d+m/, "")).join(""),
    drawn().join("\n"),
  );
});

Deno.test("top: what clients and servers say can't move the cursor, hide text or ring", () => {
  const evil = "a\x1b[2J\x1b]0;title\x07\x9b31m\u202eb\r\n\x00c\x7f";
  const lines = drawn({
    live: {
      ...LIVE,
      version: evil,
      servers: { shop: evil },
      mirrors: [{
        ...SHOP,
        database: evil,
        mirror: evil,
        results: { [`mismatch_${evil}`]: 1 },
        statements: SHOP.statements.map((s) => ({ ...s, text: evil })),
      }],
    },
    readiness: {
      ...READINESS,
      recommendation: evil,
      reasons: [evil],
      causes: [evil],
      gates: GATES.map((gate) => ({ ...gate, gate: evil, sentence: evil })),
    },
    lost: { since: 0, reason: evil },
  });
  assert.ok(lines.length > 20);
  for (const line of lines) {
    assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  }
  assert.equal(
    printable(evil),
    "a\ufffd[2J\ufffd]0;title\ufffd\ufffd31m\ufffdb \ufffdc\ufffd",
  );
});

Deno.test("top: says since when the proxy is lost, and why", () => {
  const [first] = drawn({
    lost: { since: LIVE.at, reason: "connection refused" },
    now: LIVE.at + 65_000,
  });
  assert.equal(
    first,
    "PgDog Mirror 1.2.3  LOST since 03:04:05, 1 min 5 s ago: connection refused",
  );
});

Deno.test("top: shows the mirror with the worst verdict, until another is chosen", () => {
  const good = {
    ...VERDICT,
    state: "READY",
    headline: "READY",
    gates: [],
  };
  const live = { ...LIVE, mirrors: [{ ...SHOP, mirror: "fine" }, SHOP] };
  const readiness = {
    ...READINESS,
    mirrors: [
      { database: "shop", mirror: "fine", verdict: good },
      ...READINESS.mirrors,
    ],
  };
  assert.match(drawn({ live, readiness })[1] ?? "", /shop_next.*mirror 2 of 2/);
  const other = drawn({ live, readiness, mirror: 0 });
  assert.match(other[1] ?? "", /→ fine .*mirror 1 of 2/);
  assert.match(other[3] ?? "", /^READY/);
});

Deno.test("top: without a mirror it says so", () => {
  const lines = drawn({
    live: { ...LIVE, mirrors: [] },
    readiness: { ...READINESS, mirrors: [] },
  });
  assert.match(lines[1] ?? "", /nothing is mirrored/);
});

Deno.test("clip and sparkline: keep to their width", () => {
  assert.equal(clip("héllo", 5), "héllo");
  assert.equal(clip("héllo!", 5), "héll…");
  assert.equal(clip("héllo", 0), "");
  assert.equal(sparkline([9, 0, null, 4, 8], 4, 8.1), "▁ ▄█");
});
