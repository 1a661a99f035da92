import assert from "node:assert/strict";
import { parse, stringify } from "yaml";
import { atOnce } from "../support/at_once.ts";
import { hasProgram, runProgram } from "../support/programs.ts";
import { ALERT_CASES, VERDICT_CASES } from "./alert_cases.ts";
import { ALERTS, MONITORING, shipped } from "./files.ts";

const FILES = ["prometheus-rules.yaml", "prometheus-alerts.yaml"];
/** It takes one test after the other. */
const PROMTOOLS = 2;
const ignore = !hasProgram("promtool");

Deno.test({
  name: "rules: promtool finds nothing in rules, alerts and configuration",
  ignore,
  async fn() {
    const paths = FILES.map((name) => MONITORING + name);
    await runProgram("promtool", ["check", "rules", "--lint-fatal", ...paths]);
    await runProgram("promtool", [
      "check",
      "config",
      "--lint-fatal",
      MONITORING + "prometheus-scrape.yaml",
    ]);
  },
});

Deno.test("rules: every alert has a case for its fault, and one without it", () => {
  for (const { alert } of ALERTS) {
    const cases = ALERT_CASES.filter((one) => one.alert === alert);
    assert.ok(cases.some(({ firing }) => firing.length > 0), `${alert} fires`);
    assert.ok(
      cases.some(({ firing }) => firing.length === 0),
      `${alert} quiet`,
    );
  }
});

Deno.test({
  name: "rules: each alert fires for its fault and is quiet without it",
  ignore,
  async fn() {
    await promtool(ALERT_CASES.map(({ alert, name, series, at, firing }) => ({
      name: `${alert}: ${name}`,
      interval: "1m",
      input_series: inputs(series),
      alert_rule_test: [{
        alertname: alert,
        eval_time: `${at}m`,
        exp_alerts: firing.map((labels) => ({
          exp_labels: {
            ...ALERTS.find((rule) => rule.alert === alert)?.labels,
            ...labels,
          },
        })),
      }],
    })));
  },
});

Deno.test({
  name: "rules: the verdict over all proxies, for each kind of evidence",
  ignore,
  async fn() {
    await promtool(VERDICT_CASES.map(({ name, series, verdict }) => ({
      name,
      interval: "1m",
      input_series: inputs(series),
      promql_expr_test: [{
        expr: "mirror:pgdog_verdict:fleet",
        eval_time: "50m",
        exp_samples: [{
          labels:
            'mirror:pgdog_verdict:fleet{job="pgdog-mirror",database="shop",mirror="next"}',
          value: verdict,
        }],
      }],
    })));
  },
});

function inputs(series: Readonly<Record<string, string>>) {
  return Object.entries(series).map(([name, values]) => ({
    series: name,
    values,
  }));
}

/**
 * `promtool test rules` on the shipped files. Annotations are left out: promtool
 * wants each text in full. That their templates work the live test sees.
 */
async function promtool(tests: readonly unknown[]): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "pgdog-mirror-rules-" });
  try {
    for (const name of FILES) {
      const file = parse(shipped(name)) as {
        groups: { rules: { annotations?: unknown }[] }[];
      };
      for (const rule of file.groups.flatMap(({ rules }) => rules)) {
        delete rule.annotations;
      }
      await Deno.writeTextFile(`${folder}/${name}`, stringify(file));
    }
    await atOnce(PROMTOOLS, [...Array(PROMTOOLS).keys()], async (part) => {
      const path = `${folder}/test_${part}.yaml`;
      const file = {
        rule_files: FILES,
        evaluation_interval: "1m",
        tests: tests.filter((_, i) => i % PROMTOOLS === part),
      };
      await Deno.writeTextFile(path, stringify(file));
      await runProgram("promtool", ["test", "rules", path]);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
