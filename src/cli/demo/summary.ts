import Table from "cli-table3";
import type { DemoReport, Latency } from "./report.ts";
import type { WorkloadResult } from "./workload.ts";

export interface Summary {
  readonly report: DemoReport;
  readonly workload: WorkloadResult;
  /** How often the statement was run that the mirror's version can't. */
  readonly breakages: number;
  /** Tables whose rows differ. */
  readonly differing: readonly string[];
  readonly tables: number;
}

/** The last thing that a person reads: what was counted, and what it means. */
export function summaryText(summary: Summary): string {
  const { report, workload, breakages, differing, tables } = summary;
  const { requests, errors } = report;
  const primary = `PostgreSQL ${report.primary.version}`;
  const mirror = `PostgreSQL ${report.mirror.version}`;
  const count = (n: number) => n.toLocaleString("en");
  const ledger = newTable(["Transactions", "", "Reasons"]);
  ledger.push(
    ["seen on the primary", count(requests.seen), ""],
    ["replayed on the mirror", count(requests.replayed), ""],
    ...(["excluded", "dropped", "failed"] as const).map((outcome) => {
      const reasons = Object.entries(requests[outcome]).filter(([, n]) => n);
      const total = reasons.reduce((sum, [, n]) => sum + n, 0);
      const words = reasons.map(([reason, n]) => `${reason} ${count(n)}`);
      return [outcome, count(total), words.join(", ")];
    }),
    ["pending", count(requests.pending), ""],
  );
  const latency = newTable(["Statement time", "median", "99 of 100"]);
  latency.push(
    [`primary, ${primary}`, ...latencyCells(report.latency_ms.primary)],
    [`mirror, ${mirror}`, ...latencyCells(report.latency_ms.mirror)],
  );
  const lines = [
    ledger.toString(),
    latency.toString(),
    `Clients sent ${count(workload.statements)} statements; ${
      count(workload.errorsExpected)
    } failed as they should, ${count(workload.errorsUnexpected)} did not.`,
    ...workload.unexpected.map((text) => `  ${text}`),
    `${
      count(errors.query)
    } statements worked on ${primary} and failed on ${mirror}; ` +
    `${
      count(breakages)
    } of them were planted: columns of pg_stat_bgwriter that version 17 removed.`,
    differing.length === 0
      ? `All ${tables} tables hold the same rows on both servers.`
      : `Tables that differ between the servers: ${differing.join(", ")}.`,
  ];
  return lines.join("\n");
}

function newTable(head: string[]) {
  return new Table({
    head,
    colAligns: ["left", "right", head[2] === "Reasons" ? "left" : "right"],
    style: { head: [], border: [] }, // no colours: it may go to a file
  });
}

function latencyCells({ p50, p99 }: Latency): string[] {
  return [p50, p99].map((ms) => ms === null ? "-" : `${ms.toFixed(2)} ms`);
}
