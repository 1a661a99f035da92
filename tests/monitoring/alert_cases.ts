/** Series in promtool's notation: `a+bxn` goes up by b, n times; `_` is no sample. */
type Series = Readonly<Record<string, string>>;

/** What an alert must do with these series. */
export interface AlertCase {
  readonly alert: string;
  readonly name: string;
  readonly series: Series;
  /** Minutes from the start; there is a sample each minute. */
  readonly at: number;
  /** Labels of those that fire, besides `severity`; none: it must be quiet. */
  readonly firing: readonly Readonly<Record<string, string>>[];
}

const LABELS = { job: "pgdog-mirror", instance: "a" };
const PROCESS = 'job="pgdog-mirror",instance="a"';
const OTHER_PROCESS = 'job="pgdog-mirror",instance="b"';
const MIRROR = `${PROCESS},database="shop",mirror="next"`;
const OF_MIRROR = { ...LABELS, database: "shop", mirror: "next" };

const limit = (key: string, value: string, of = PROCESS): Series => ({
  [`pgdog_mirror_readiness_limit{${of},limit="${key}"}`]: `${value}x60`,
});

/** The ledger of one mirror, by growth per minute. */
const ledger = (
  outcomes: {
    readonly seen: number;
    readonly excluded?: number;
    readonly dropped?: number;
    readonly failed?: number;
    readonly replayed?: number;
    readonly withErrors?: number;
  },
): Series => {
  const grows = (count = 0) => `100+${count}x60`;
  const { seen, excluded, dropped, failed, replayed, withErrors } = outcomes;
  return {
    [`pgdog_mirror_requests_total{${MIRROR}}`]: grows(seen),
    [`pgdog_mirror_requests_excluded_total{${MIRROR},reason="level"}`]: grows(
      excluded,
    ),
    [`pgdog_mirror_requests_dropped_total{${MIRROR},reason="queue_full"}`]:
      grows(dropped),
    [`pgdog_mirror_requests_failed_total{${MIRROR},reason="timeout"}`]: grows(
      failed,
    ),
    [`pgdog_mirror_requests_mirrored_total{${MIRROR}}`]: grows(replayed),
    [`pgdog_mirror_replays_with_errors_total{${MIRROR}}`]: grows(withErrors),
  };
};

const result = (name: string, values: string): Series => ({
  [`pgdog_mirror_statements_total{${MIRROR},result="${name}"}`]: values,
});

/** Gauges of what a verdict rests on: of counts, or of `_seconds`. */
const evidence = (
  mirror: string,
  unit: "" | "_seconds",
  kinds: Readonly<Record<string, number>>,
): Series =>
  Object.fromEntries(
    Object.entries(kinds).map(([kind, value]) => [
      `pgdog_mirror_readiness_evidence${unit}{${mirror},kind="${kind}"}`,
      `${value}x60`,
    ]),
  );

/** Mismatches that no rule accepts. */
const open = (values: string): Series => ({
  [`pgdog_mirror_readiness_evidence{${MIRROR},kind="mismatches"}`]: values,
});

/** Two proxies whose evidence may be added up. */
const FLEET: Series = {
  [`up{${PROCESS}}`]: "1x60",
  [`up{${OTHER_PROCESS}}`]: "1x60",
  [`pgdog_mirror_readiness_observed_seconds{${PROCESS}}`]: "0+60x60",
  [`pgdog_mirror_readiness_observed_seconds{${OTHER_PROCESS}}`]: "0+60x60",
  [`pgdog_mirror_metrics_enabled{${PROCESS}}`]: "1x60",
  [`pgdog_mirror_metrics_enabled{${OTHER_PROCESS}}`]: "1x60",
  [`pgdog_mirror_compare_mode{${PROCESS},mode="rows"}`]: "1x60",
  [`pgdog_mirror_compare_mode{${OTHER_PROCESS},mode="rows"}`]: "1x60",
  ...limit("min_coverage", "0.99"),
  ...limit("min_coverage", "0.99", OTHER_PROCESS),
};
/** One of them has pending requests, and none finds its outcome. */
const STALLED: Series = {
  [`pgdog_mirror_readiness_stalled_seconds{${PROCESS}}`]: "0x60",
  [`pgdog_mirror_readiness_stalled_seconds{${OTHER_PROCESS}}`]: "0+60x60",
  ...limit("max_lag_seconds", "60"),
  ...limit("max_lag_seconds", "60", OTHER_PROCESS),
};
const WHOLE_JOB = [{ job: "pgdog-mirror" }];

const fires = (
  alert: string,
  name: string,
  series: Series,
  at: number,
  firing: AlertCase["firing"],
): AlertCase => ({ alert, name, series, at, firing });
const quiet = (
  alert: string,
  name: string,
  series: Series,
  at: number,
): AlertCase => ({ alert, name, series, at, firing: [] });

/** For each alert its fault, and what only looks like it. */
export const ALERT_CASES: readonly AlertCase[] = [
  fires(
    "ProxyDown",
    "one of two is down",
    {
      [`up{${PROCESS}}`]: "1 0 0 0 0",
      [`up{${OTHER_PROCESS}}`]: "1 1 1 1 1",
    },
    4,
    [LABELS],
  ),
  fires(
    "ProxyDown",
    "the job has no target",
    { 'up{job="other"}': "1x10" },
    4,
    WHOLE_JOB,
  ),
  quiet("ProxyDown", "one scrape is missed", {
    [`up{${PROCESS}}`]: "1 1 0 1 1",
  }, 4),
  quiet("ProxyDown", "another job's target is down", {
    [`up{${PROCESS}}`]: "1x10",
    'up{job="other"}': "0x10",
  }, 4),

  fires(
    "MirrorSilentlyStopped",
    "seen, and no outcome",
    ledger({ seen: 10 }),
    20,
    [OF_MIRROR],
  ),
  quiet(
    "MirrorSilentlyStopped",
    "all are excluded",
    ledger({ seen: 10, excluded: 10 }),
    20,
  ),
  quiet(
    "MirrorSilentlyStopped",
    "all are dropped or fail",
    ledger({ seen: 10, dropped: 6, failed: 4 }),
    20,
  ),
  quiet(
    "MirrorSilentlyStopped",
    "some are replayed",
    ledger({ seen: 10, replayed: 1 }),
    20,
  ),
  quiet("MirrorSilentlyStopped", "no traffic", ledger({ seen: 0 }), 20),

  fires(
    "MirrorConsecutiveErrors",
    "the threshold is reached",
    {
      [`pgdog_mirror_consecutive_errors{${MIRROR},user="x"}`]: "0 50 100x10",
      ...limit("mirror_error_threshold", "100"),
    },
    5,
    [OF_MIRROR],
  ),
  quiet("MirrorConsecutiveErrors", "one error less", {
    [`pgdog_mirror_consecutive_errors{${MIRROR},user="x"}`]: "0 50 99x10",
    ...limit("mirror_error_threshold", "100"),
  }, 5),

  fires(
    "MirrorErrors",
    "2 of 100 fail",
    {
      ...ledger({ seen: 100, replayed: 99, failed: 1, withErrors: 1 }),
      ...limit("mirror_max_error_rate", "0.01"),
    },
    20,
    [OF_MIRROR],
  ),
  quiet("MirrorErrors", "half fail, and rules accept it", {
    ...ledger({ seen: 100, replayed: 100, withErrors: 50 }),
    [`pgdog_mirror_replays_with_accepted_errors_total{${MIRROR}}`]: "0+50x60",
    ...limit("mirror_max_error_rate", "0.01"),
  }, 20),
  quiet("MirrorErrors", "1 of 200 fails", {
    ...ledger({ seen: 200, replayed: 199, failed: 1 }),
    ...limit("mirror_max_error_rate", "0.01"),
  }, 20),

  fires(
    "MirrorMismatches",
    "the first one in a while",
    { ...result("mismatch_rows", "0x15 1x15"), ...open("0x15 1x15") },
    18,
    [{ ...OF_MIRROR, result: "mismatch_rows" }],
  ),
  fires(
    "MirrorMismatches",
    "there from the first scrape on",
    { ...result("mismatch_rows", "_x15 3x5"), ...open("_x15 3x5") },
    17,
    [{ ...OF_MIRROR, result: "mismatch_rows" }],
  ),
  quiet(
    "MirrorMismatches",
    "old ones, no new one",
    { ...result("mismatch_rows", "5x40"), ...open("5x40") },
    30,
  ),
  fires(
    "MirrorMismatches",
    "one after another window has begun",
    { ...result("mismatch_rows", "5x10 5+1x20"), ...open("5x10 0+1x20") },
    14,
    [{ ...OF_MIRROR, result: "mismatch_rows" }],
  ),
  quiet(
    "MirrorMismatches",
    "a rule accepts them",
    { ...result("mismatch_rows", "0+1x40"), ...open("2x40") },
    30,
  ),
  quiet(
    "MirrorMismatches",
    "noise",
    result("noise_volatile", "0+3x40"),
    30,
  ),

  fires(
    "MirrorLatency",
    "two seconds on average",
    {
      [`pgdog_statement_duration_seconds_sum{${MIRROR},target="mirror"}`]:
        "0+120x60",
      [`pgdog_statement_duration_seconds_count{${MIRROR},target="mirror"}`]:
        "0+60x60",
      ...limit("mirror_max_latency_ms", "1000"),
    },
    30,
    [OF_MIRROR],
  ),
  quiet("MirrorLatency", "it is the primary that is slow", {
    [`pgdog_statement_duration_seconds_sum{${MIRROR},target="mirror"}`]:
      "0+30x60",
    [`pgdog_statement_duration_seconds_count{${MIRROR},target="mirror"}`]:
      "0+60x60",
    [`pgdog_statement_duration_seconds_sum{${MIRROR},target="primary"}`]:
      "0+240x60",
    [`pgdog_statement_duration_seconds_count{${MIRROR},target="primary"}`]:
      "0+60x60",
    ...limit("mirror_max_latency_ms", "1000"),
  }, 30),

  fires(
    "MirrorLagGrowing",
    "3 s more each minute",
    { [`pgdog_mirror_lag_seconds{${MIRROR}}`]: "0+3x30" },
    20,
    [OF_MIRROR],
  ),
  quiet("MirrorLagGrowing", "behind, and stable", {
    [`pgdog_mirror_lag_seconds{${MIRROR}}`]: "30x30",
  }, 20),
  quiet("MirrorLagGrowing", "growing, and not yet behind", {
    [`pgdog_mirror_lag_seconds{${MIRROR}}`]: "0x18 1 2 3 4",
  }, 22),

  fires(
    "MirrorQueueNearBound",
    "90 of 100 bytes",
    {
      [`pgdog_mirror_queue_bytes{${PROCESS}}`]: "90x10",
      [`pgdog_mirror_queue_limit_bytes{${PROCESS}}`]: "100x10",
    },
    5,
    [LABELS],
  ),
  quiet("MirrorQueueNearBound", "70 of 100 bytes", {
    [`pgdog_mirror_queue_bytes{${PROCESS}}`]: "70x10",
    [`pgdog_mirror_queue_limit_bytes{${PROCESS}}`]: "100x10",
  }, 5),

  fires(
    "MirrorDrops",
    "a queue is full",
    ledger({ seen: 100, replayed: 95, dropped: 5 }),
    15,
    [{ ...OF_MIRROR, reason: "queue_full" }],
  ),
  quiet("MirrorDrops", "somebody has paused it, stopped or removed", {
    [`pgdog_mirror_requests_dropped_total{${MIRROR},reason="paused"}`]:
      "0+5x30",
    [`pgdog_mirror_requests_dropped_total{${MIRROR},reason="shutdown"}`]:
      "0+5x30",
    [`pgdog_mirror_requests_dropped_total{${MIRROR},reason="removed"}`]:
      "0+5x30",
  }, 15),

  fires(
    "MirrorCoverageFalling",
    "90 of 100 are replayed",
    {
      ...ledger({ seen: 100, replayed: 90, dropped: 10 }),
      ...limit("min_coverage", "0.99"),
    },
    30,
    [OF_MIRROR],
  ),
  quiet("MirrorCoverageFalling", "the other 10 were never meant to be", {
    ...ledger({ seen: 100, replayed: 90, excluded: 10 }),
    ...limit("min_coverage", "0.99"),
  }, 30),

  quiet("MirrorEvidenceIncomplete", "all is there", FLEET, 20),
  fires(
    "MirrorEvidenceIncomplete",
    "one is down",
    {
      ...FLEET,
      [`up{${OTHER_PROCESS}}`]: "0x60",
      [`pgdog_mirror_readiness_observed_seconds{${OTHER_PROCESS}}`]: "_x60",
    },
    20,
    WHOLE_JOB,
  ),
  fires(
    "MirrorEvidenceIncomplete",
    "one is no target any more",
    {
      ...FLEET,
      [`up{${OTHER_PROCESS}}`]: "1x5 stale",
      [`pgdog_mirror_readiness_observed_seconds{${OTHER_PROCESS}}`]:
        "0+60x5 stale",
    },
    40,
    WHOLE_JOB,
  ),
  fires(
    "MirrorEvidenceIncomplete",
    "one does not count",
    { ...FLEET, [`pgdog_mirror_metrics_enabled{${OTHER_PROCESS}}`]: "0x60" },
    20,
    WHOLE_JOB,
  ),
  fires(
    "MirrorEvidenceIncomplete",
    "one does not compare rows",
    {
      ...FLEET,
      [`pgdog_mirror_compare_mode{${OTHER_PROCESS},mode="rows"}`]: "0x60",
    },
    20,
    WHOLE_JOB,
  ),
  fires(
    "MirrorEvidenceIncomplete",
    "one has stalled",
    { ...FLEET, ...STALLED },
    20,
    WHOLE_JOB,
  ),
  fires(
    "MirrorEvidenceIncomplete",
    "one has another limit",
    { ...FLEET, ...limit("min_coverage", "0.5", OTHER_PROCESS) },
    20,
    WHOLE_JOB,
  ),

  fires(
    "MirrorVerdictChanged",
    "from INCONCLUSIVE to NOT READY",
    {
      'mirror:pgdog_verdict:fleet{job="pgdog-mirror",database="shop",mirror="next"}':
        "-1x10 0x10",
    },
    14,
    [{ job: "pgdog-mirror", database: "shop", mirror: "next" }],
  ),
  quiet("MirrorVerdictChanged", "NOT READY all the time", {
    'mirror:pgdog_verdict:fleet{job="pgdog-mirror",database="shop",mirror="next"}':
      "0x20",
  }, 14),

  fires(
    "HistoryNotWritten",
    "the last write is long ago",
    {
      [`pgdog_history_last_write_timestamp_seconds{${PROCESS}}`]:
        "0+60x10 600x40",
    },
    30,
    [LABELS],
  ),
  fires(
    "HistoryNotWritten",
    "writes fail",
    {
      [`pgdog_history_last_write_timestamp_seconds{${PROCESS}}`]: "0+60x60",
      [`pgdog_history_write_errors_total{${PROCESS}}`]: "0+1x60",
    },
    30,
    [LABELS],
  ),
  quiet("HistoryNotWritten", "it is written, errors are old", {
    [`pgdog_history_last_write_timestamp_seconds{${PROCESS}}`]: "0+60x60",
    [`pgdog_history_write_errors_total{${PROCESS}}`]: "3x60",
  }, 30),

  fires(
    "MirrorPluginErrors",
    "an exception",
    { [`pgdog_plugin_errors_total{${PROCESS},plugin="x"}`]: "0x5 1x20" },
    10,
    [{ ...LABELS, plugin: "x" }],
  ),
  quiet("MirrorPluginErrors", "an old exception", {
    [`pgdog_plugin_errors_total{${PROCESS},plugin="x"}`]: "4x30",
  }, 20),
];

const GATE_LIMITS: Readonly<Record<string, number>> = {
  error_rate: 0.01,
  latency: 1_000,
  latency_regressions: 0,
  runtime: 0.5,
  requests: 100,
  mismatch_rate: 0.001,
  statements: 0,
  coverage: 0.99,
  unknown: 0.001,
  consecutive_errors: 99,
  lag: 60,
};

/** One proxy that saw and replayed `count` requests without a fault. */
const faultless = (of: string, count: number): Series => {
  const mirror = `${of},database="shop",mirror="next"`;
  const steady = (value: number) => `${value}x60`;
  return {
    ...Object.fromEntries(
      Object.entries(GATE_LIMITS).map(([gate, value]) => [
        `pgdog_mirror_readiness_gate_limit{${of},gate="${gate}"}`,
        steady(value),
      ]),
    ),
    [`pgdog_mirror_readiness_statements{${mirror},latency="tested"}`]: "3x60",
    [`pgdog_mirror_readiness_statements{${mirror},latency="slower"}`]: "0x60",
    ...evidence(mirror, "", {
      seen: count,
      excluded: 0,
      untried: 0,
      dropped: 0,
      withheld: 0,
      replayed: count,
      failed: 0,
      pending: 0,
      requests_with_errors: 0,
      compared: count,
      uncompared: 0,
      mismatches: 0,
      mirror_statements: count,
    }),
    ...evidence(mirror, "_seconds", { mirror: 12, replayed: 10, compared: 10 }),
    [`pgdog_mirror_readiness_shapes{${mirror},comparison="seen"}`]: "5x60",
    [`pgdog_mirror_readiness_shapes{${mirror},comparison="different"}`]: "0x60",
    [`pgdog_mirror_readiness_shapes{${mirror},comparison="uncompared"}`]:
      "0x60",
    [`pgdog_mirror_readiness_consecutive_errors{${mirror}}`]: "0x60",
    [`pgdog_mirror_readiness_active_seconds{${mirror}}`]: "0+60x60",
    [`pgdog_mirror_readiness_lag_requests{${mirror},bound="1"}`]: steady(count),
    [`pgdog_mirror_readiness_lag_requests{${mirror},bound="+Inf"}`]: steady(
      count,
    ),
  };
};

/** Two proxies, each with half of what is needed. */
const READY: Series = {
  ...FLEET,
  ...faultless(PROCESS, 60),
  ...faultless(OTHER_PROCESS, 60),
  ...limit("scope", "0"),
};
const NEXT = `${OTHER_PROCESS},database="shop",mirror="next"`;

const PARTIAL: Series = {
  ...READY,
  ...evidence(NEXT, "", { seen: 66, excluded: 6, untried: 6 }),
};

/** The second proxy has no clients. */
const STANDBY: Series = Object.fromEntries(
  Object.entries(faultless(OTHER_PROCESS, 0)).map(([name, values]) => [
    name,
    /_(seconds|statements|shapes|active_seconds)\{/.test(name)
      ? "0x60"
      : values,
  ]),
);

/** The first proxy has not paused the mirror, the second one says `values`. */
const paused = (values: string): Series => ({
  ...READY,
  [`pgdog_mirror_paused{${MIRROR}}`]: "0x60",
  [`pgdog_mirror_paused{${NEXT}}`]: `${values}x60`,
});

/** What the recorded verdict must be: 1 READY, 0 NOT READY, -1 INCONCLUSIVE. */
export const VERDICT_CASES: readonly {
  readonly name: string;
  readonly series: Series;
  readonly verdict: number;
}[] = [
  { name: "all gates pass", series: READY, verdict: 1 },
  {
    name: "the second proxy has differences",
    series: {
      ...READY,
      ...evidence(NEXT, "", { mismatches: 9 }),
    },
    verdict: 0,
  },
  {
    name: "it has none that is not accepted",
    series: { ...READY, ...evidence(NEXT, "", { accepted_mismatches: 9 }) },
    verdict: 1,
  },
  {
    name: "it has some that may come of the mirror's own values",
    series: { ...READY, ...evidence(NEXT, "", { drifted_mismatches: 9 }) },
    verdict: -1,
  },
  {
    name: "they are within what is allowed",
    series: {
      ...READY,
      ...evidence(NEXT, "", { compared: 100_000, drifted_mismatches: 9 }),
    },
    verdict: 1,
  },
  {
    name: "they are, and make a statement differ as a whole",
    series: {
      ...READY,
      ...evidence(NEXT, "", {
        compared: 100_000,
        drifted_mismatches: 9,
        drifted_shapes: 1,
      }),
    },
    verdict: -1,
  },
  {
    name: "it has such, and others",
    series: {
      ...READY,
      ...evidence(NEXT, "", { drifted_mismatches: 9, mismatches: 9 }),
    },
    verdict: 0,
  },
  {
    name: "it is of a version that does not export its evidence",
    series: Object.fromEntries(
      Object.entries(READY).filter(([name]) =>
        !name.startsWith("pgdog_mirror_readiness_evidence") ||
        !name.includes(OTHER_PROCESS)
      ),
    ),
    verdict: -1,
  },
  {
    name: "the second proxy has too few requests",
    series: { ...READY, ...faultless(OTHER_PROCESS, 1) },
    verdict: -1,
  },
  {
    name: "it had a minute of traffic",
    series: {
      ...READY,
      [`pgdog_mirror_readiness_active_seconds{${NEXT}}`]: "60x60",
    },
    verdict: -1,
  },
  {
    name: "it stands by: no request, no hours",
    series: { ...READY, ...faultless(PROCESS, 120), ...STANDBY },
    verdict: 1,
  },
  {
    name: "it stands by, and the first had a minute of traffic",
    series: {
      ...READY,
      ...faultless(PROCESS, 120),
      ...STANDBY,
      [`pgdog_mirror_readiness_active_seconds{${MIRROR}}`]: "60x60",
    },
    verdict: -1,
  },
  {
    name: "it was restarted without history, and has had one request",
    series: {
      ...READY,
      ...faultless(PROCESS, 120),
      ...faultless(OTHER_PROCESS, 1),
      [`pgdog_mirror_readiness_active_seconds{${NEXT}}`]: "1x60",
    },
    verdict: -1,
  },
  {
    name: "it is down",
    series: {
      ...READY,
      ...FLEET,
      [`up{${OTHER_PROCESS}}`]: "0x60",
      [`pgdog_mirror_readiness_observed_seconds{${OTHER_PROCESS}}`]: "_x60",
    },
    verdict: -1,
  },
  {
    name: "it drops a tenth",
    series: {
      ...READY,
      ...evidence(NEXT, "", { replayed: 54, dropped: 6 }),
    },
    verdict: 0,
  },
  {
    name: "no statement was judged by its latency",
    series: {
      ...READY,
      [`pgdog_mirror_readiness_statements{${NEXT},latency="tested"}`]: "0x60",
      [`pgdog_mirror_readiness_statements{${MIRROR},latency="tested"}`]: "0x60",
    },
    verdict: -1,
  },
  {
    name: "it has stalled",
    series: { ...READY, ...STALLED },
    verdict: -1,
  },
  {
    name: "a tenth of its time could not be compared",
    series: {
      ...READY,
      ...evidence(NEXT, "_seconds", { compared: 8 }),
    },
    verdict: -1,
  },
  {
    name: "it was slow",
    series: { ...READY, ...evidence(NEXT, "_seconds", { mirror: 9_000 }) },
    verdict: 0,
  },
  {
    name: "its lag is above the limit",
    series: {
      ...READY,
      [`pgdog_mirror_readiness_lag_requests{${NEXT},bound="1"}`]: "0x60",
      [`pgdog_mirror_readiness_lag_requests{${NEXT},bound="120"}`]: "60x60",
      [`pgdog_mirror_readiness_lag_requests{${MIRROR},bound="120"}`]: "60x60",
    },
    verdict: 0,
  },
  {
    name: "one of its statement shapes was never compared",
    series: {
      ...READY,
      [`pgdog_mirror_readiness_shapes{${NEXT},comparison="uncompared"}`]:
        "1x60",
    },
    verdict: -1,
  },
  {
    name: "one of its statement shapes was never equal",
    series: {
      ...READY,
      [`pgdog_mirror_readiness_shapes{${NEXT},comparison="different"}`]: "1x60",
    },
    verdict: 0,
  },
  {
    name: "a tenth of its statements differed by chance",
    series: {
      ...READY,
      ...evidence(NEXT, "", { uncompared: 6 }),
    },
    verdict: -1,
  },
  {
    name: "a tenth of its requests were withheld by a pause",
    series: {
      ...READY,
      ...evidence(NEXT, "", { replayed: 54, dropped: 6, withheld: 6 }),
    },
    verdict: -1,
  },
  {
    name: "a tenth of its clients left",
    series: {
      ...READY,
      ...evidence(NEXT, "", { replayed: 54, excluded: 6 }),
    },
    verdict: -1,
  },
  { name: "a tenth was left out by level", series: PARTIAL, verdict: -1 },
  {
    name: "a tenth was left out by level, as accepted",
    series: { ...PARTIAL, ...limit("scope", "1") },
    verdict: 1,
  },
  { name: "one proxy has paused it", series: paused("1"), verdict: -1 },
  { name: "none has paused it", series: paused("0"), verdict: 1 },
  {
    name: "it was paused, and is resumed",
    series: paused("1x20 0"),
    verdict: 1,
  },
  {
    name: "one has paused it, and there are differences",
    series: { ...paused("1"), ...evidence(NEXT, "", { mismatches: 9 }) },
    verdict: 0,
  },
  {
    name: "there is no traffic at all",
    series: Object.fromEntries(
      Object.entries(READY).map(([name, values]) => [
        name,
        /_(evidence|seconds|lag_requests|statements|shapes)\{/.test(name) &&
          !name.includes("observed")
          ? "0x60"
          : values,
      ]),
    ),
    verdict: -1,
  },
];
