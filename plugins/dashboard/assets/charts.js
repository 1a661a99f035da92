import { byId, el, setText } from "./dom.js";
import { clock, count, milliseconds, seconds } from "./format.js";

/** A script of its own: it is no module of this tree. */
const { uPlot } = globalThis;
const MAX_POINTS = 900;
/** The span shown grows with what there is, from two minutes on. */
const MIN_SECONDS = 120;
const MAX_SECONDS = 900;
const HEIGHT = 150;

/** Each with its lines: a column of `recent`, a name, and the CSS variable of its colour. */
const CHARTS = [
  {
    title: "Statement time, p50",
    format: milliseconds,
    lines: [["primaryP50Ms", "primary"], ["mirrorP50Ms", "mirror"]],
  },
  {
    title: "Statement time, p99",
    format: milliseconds,
    lines: [["primaryP99Ms", "primary"], ["mirrorP99Ms", "mirror"]],
  },
  {
    title: "Requests/s",
    format: count,
    lines: [["seenPerSecond", "primary"], ["replayedPerSecond", "mirror"]],
    names: { primary: "seen", mirror: "replayed" },
  },
  {
    title: "Lag of the mirror",
    format: seconds,
    lines: [["lagSeconds", "mirror"]],
    names: { mirror: "lag" },
  },
  {
    title: "Queue: requests pending",
    format: count,
    lines: [["pending", "mirror"]],
    names: { mirror: "pending" },
  },
];

/** Columns that are kept of a mirror. */
const COLUMNS = ["at", ...CHARTS.flatMap(({ lines }) => lines.map(([c]) => c))];

/** The charts, and the points of each mirror that they are drawn from. */
export function createCharts() {
  const parent = byId("charts");
  const charts = CHARTS.map((spec) => createChart(parent, spec));
  /** By mirror. */
  const kept = new Map();
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", () => charts.forEach((c) => c.recolour()));
  let startedAt = 0;

  return {
    /** What is the latest point, in milliseconds; 0 without one. */
    latest() {
      const ends = [...kept.values()].map(({ at }) => at.at(-1) ?? 0);
      return ends.length === 0 ? 0 : Math.min(...ends);
    },
    /** Takes the new points of all mirrors. */
    take(live, keyOf) {
      if (startedAt !== live.startedAt) kept.clear();
      startedAt = live.startedAt;
      for (const mirror of live.mirrors) {
        const columns = kept.get(keyOf(mirror)) ??
          Object.fromEntries(COLUMNS.map((name) => [name, []]));
        const { recent } = mirror;
        const last = columns.at.at(-1) ?? 0;
        recent.at.forEach((at, i) => {
          if (at <= last) return;
          for (const name of COLUMNS) columns[name].push(recent[name][i]);
        });
        const surplus = columns.at.length - MAX_POINTS;
        if (surplus > 0) {
          for (const name of COLUMNS) columns[name].splice(0, surplus);
        }
        kept.set(keyOf(mirror), columns);
      }
    },
    show(key, now) {
      const columns = kept.get(key);
      if (columns === undefined) return;
      for (const chart of charts) chart.draw(columns, now);
    },
  };
}

function createChart(parent, { title, format, lines, names = {} }) {
  const values = lines.map(([, kind]) => {
    const value = el("span", { class: "value" });
    return { kind, value };
  });
  const legend = el(
    "p",
    { class: "legend" },
    ...values.map(({ kind, value }) =>
      el("span", { class: `key ${kind}` }, names[kind] ?? kind, " ", value)
    ),
  );
  const canvas = el("div", { class: "canvas", role: "img" });
  parent.append(
    el(
      "figure",
      { class: "chart" },
      el("figcaption", {}, el("h3", {}, title), legend),
      canvas,
    ),
  );
  let columns;
  let now = Date.now();
  let hovered = null;

  const plot = new uPlot(options(), [[], ...lines.map(() => [])], canvas);
  new ResizeObserver(() => {
    plot.setSize({ width: canvas.clientWidth, height: HEIGHT });
  }).observe(canvas);

  function options() {
    const axis = {
      stroke: () => colour("--muted"),
      grid: { stroke: () => colour("--grid"), width: 1 },
      ticks: { show: false },
      font: "11px system-ui, sans-serif",
    };
    return {
      width: canvas.clientWidth || 300,
      height: HEIGHT,
      padding: [8, 4, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
      scales: {
        x: { range: span },
        y: { range: (_plot, _min, max) => [0, niceTop(max)] },
      },
      axes: [
        {
          ...axis,
          size: 22,
          space: 60,
          // Whole minutes: what the labels can say.
          incrs: [60, 120, 300],
          values: (_plot, ticks) => ticks.map(hourMinute),
        },
        {
          ...axis,
          size: 62,
          space: 30,
          values: (_plot, ticks) => ticks.map(format),
        },
      ],
      series: [
        {},
        ...lines.map(([, kind]) => ({
          stroke: () => colour(`--${kind}`),
          width: 1.5,
          points: { show: false },
          spanGaps: false,
        })),
      ],
      hooks: {
        setCursor: [({ cursor }) => {
          hovered = cursor.idx ?? null;
          say();
        }],
      },
    };
  }

  function span() {
    const end = now / 1e3;
    const first = (columns?.at[0] ?? now) / 1e3;
    return [
      Math.min(end - MIN_SECONDS, Math.max(end - MAX_SECONDS, first)),
      end,
    ];
  }

  /** The values under the cursor, else the latest. */
  function say() {
    if (columns === undefined) return;
    const i = hovered ?? columns.at.length - 1;
    lines.forEach(([column], n) => {
      setText(values[n].value, format(columns[column][i]));
    });
    const at = columns.at[i];
    const text = values.map(({ kind, value }) =>
      `${names[kind] ?? kind} ${value.textContent}`
    ).join(", ");
    canvas.setAttribute(
      "aria-label",
      at === undefined ? title : `${title} at ${clock(at)}: ${text}`,
    );
  }

  return {
    draw(next, at) {
      columns = next;
      now = at;
      plot.setData([
        next.at.map((ms) => ms / 1e3),
        ...lines.map(([column]) => next[column]),
      ]);
      say();
    },
    recolour: () => plot.redraw(true, true),
  };
}

function colour(variable) {
  return getComputedStyle(document.documentElement).getPropertyValue(variable);
}

/** At least a small scale, so that noise near 0 does not look like a mountain. */
function niceTop(max) {
  return max === null || max === undefined || max <= 0 ? 1 : max * 1.15;
}

function hourMinute(at) {
  return clock(at * 1e3).slice(0, 5);
}
