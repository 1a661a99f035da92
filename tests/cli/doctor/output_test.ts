import assert from "node:assert/strict";
import type { Finding } from "../../../src/cli/doctor/finding.ts";
import {
  type PairReport,
  reportJson,
  reportText,
} from "../../../src/cli/doctor/output.ts";

function pairOf(findings: readonly Finding[]): PairReport[] {
  const side = {
    name: "shop",
    address: "10.0.0.5:5432/shop",
    version: "15.18",
  };
  return [{
    primary: side,
    mirror: { ...side, name: "next", version: undefined },
    findings,
  }];
}

function finding(object: string): Finding {
  return {
    severity: "error",
    group: "schema",
    rule: "relations_missing",
    object,
    what: "is missing on the mirror",
    advice: "Create it",
  };
}

Deno.test("reportText: advice once for a rule, the rest counted, JSON has all", () => {
  const pairs = pairOf(Array.from({ length: 25 }, (_, i) => finding(`t${i}`)));
  const text = reportText(pairs);
  assert.equal(text.match(/is missing on the mirror/g)?.length, 20);
  assert.match(text, /and 5 more/);
  assert.equal(text.match(/→ Create it/g)?.length, 1);
  assert.match(text, /mirror {3}next, 10\.0\.0\.5:5432\/shop, not asked/);
  assert.match(text, /\n25 errors, 0 warnings, 0 notes$/);
  const json = JSON.parse(reportJson(pairs));
  assert.deepEqual(json.summary, { error: 25, warning: 0, note: 0 });
  assert.equal(json.pairs[0].findings.length, 25);
});

Deno.test("reportText: a server's names can't steer the terminal", () => {
  const text = reportText(pairOf([finding("\x1b[2J\r\nevil\u202e\x9b")]));
  assert.match(text, /evil/);
  // Line feeds are ours alone.
  assert.doesNotMatch(text.replaceAll("\n", ""), /[\p{Cc}\p{Bidi_Control}]/u);
  assert.doesNotMatch(text, /^evil/m);
});
