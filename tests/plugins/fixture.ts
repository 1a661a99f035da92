import assert from "node:assert/strict";
import createProbe from "../../plugins/mirror_stats/probe.ts";
import { mirrorStats } from "../../plugins/mirror_stats/mod.ts";
import {
  type AdminCommand,
  DROPPED,
  EXCLUDED,
  FAILED,
  type Plugin,
  type Probe,
} from "../../src/plugin/api.ts";
import type { PluginHostOptions } from "../../src/plugin/mod.ts";
import { Stripe } from "../../src/stats/mod.ts";
import { hostOf } from "../plugin/fixture.ts";

type Labels = readonly [database: string, mirror: string, user: string];

export const ANN: Labels = ["shop", "shop_18", "ann"];
export const BOB: Labels = ["shop", "shop_18", "bob"];
export const WEB: Labels = ["web", "web_18", "web"];

/** A proxy worker and a mirror worker that count into one registry, and the plugins that show it. */
export function counted(
  plugins: readonly Plugin[] = [mirrorStats],
  options: Partial<PluginHostOptions> = {},
) {
  const { host, registry, logs } = hostOf(plugins, {
    mirrors: [
      { database: "shop", mirror: "shop_18" },
      { database: "web", mirror: "web_18" },
    ],
    ...options,
  });
  const layout = registry.freeze({ stripes: 2 });
  const proxyStripe = new Stripe(layout, 0);
  const mirrorStripe = new Stripe(layout, 1);
  const probe = (role: "proxy" | "mirror", stripe: Stripe) =>
    createProbe({ role, stripe }) as Required<Probe>;
  return {
    host,
    registry,
    logs,
    proxy: probe("proxy", proxyStripe),
    mirror: probe("mirror", mirrorStripe),
    series: (labels: Labels) => proxyStripe.series(labels),
    mirrorCells: mirrorStripe.cells,
    command: (words: string): AdminCommand => {
      const command = host.commands.find((one) => one.words === words);
      if (command === undefined) throw new Error(`There is no ${words}`);
      return command;
    },
  };
}

export type Counted = ReturnType<typeof counted>;

/** Requests that are seen and replayed, one statement each. */
export function replay(
  { proxy, mirror, series }: Counted,
  labels: Labels,
  options: {
    readonly times?: number;
    readonly latencySeconds?: number;
    readonly errorsOnMirror?: number;
    /** Those that no rule accepts; default: all. */
    readonly openErrors?: number;
  } = {},
): void {
  const { times = 1, latencySeconds = 0.003, errorsOnMirror = 0 } = options;
  const { openErrors = errorsOnMirror } = options;
  const base = series(labels);
  for (let i = 0; i < times; i++) {
    proxy.primaryStatement(base, latencySeconds / 2);
    proxy.requestSeen(base);
    mirror.mirrorStatement(base, latencySeconds);
    mirror.requestReplayed(
      base,
      latencySeconds,
      0.25,
      errorsOnMirror,
      openErrors,
    );
  }
}

/** A result of the console, a record for each row. */
export function records(command: AdminCommand): Record<string, unknown>[] {
  return command.rows().map((row) =>
    Object.fromEntries(command.columns.map(({ name }, i) => [name, row[i]]))
  );
}

/** SHOW MIRROR_STATS as name and value. */
export function stats({ command }: Counted): Record<string, string | null> {
  return Object.fromEntries(command("SHOW MIRROR_STATS").rows());
}

/** A row's value that must be a number. */
export function number(row: string | null | undefined): number {
  assert.match(row ?? "", /^-?[0-9.]+$/);
  return Number(row);
}

/** seen = excluded + dropped + replayed + failed + pending, in SHOW MIRROR_STATS. */
export function assertCloses(shown: Record<string, string | null>): void {
  const parts = ["excluded", "dropped", "mirrored", "failed", "pending"]
    .map((part) => number(shown[`requests_${part}`]));
  assert.equal(
    number(shown.requests_total),
    parts.reduce((sum, n) => sum + n, 0),
  );
  for (
    const [outcome, reasons] of [
      ["excluded", EXCLUDED],
      ["dropped", DROPPED],
      ["failed", FAILED],
    ] as const
  ) {
    const sum = reasons.reduce(
      (total, reason) => total + number(shown[`${outcome}_${reason}`]),
      0,
    );
    assert.equal(number(shown[`requests_${outcome}`]), sum, outcome);
  }
}

/** A metric's sum over all series. */
export function value({ registry }: Counted, name: string): number {
  return (registry.snapshot().get(name)?.series ?? [])
    .reduce((sum, series) => sum + series.value, 0);
}
