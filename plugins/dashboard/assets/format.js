/** Numbers and times as people read them. One notation everywhere: no locale decides. */

const integer = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** @param {number} n */
export function count(n) {
  return integer.format(n);
}

/** @param {number | null | undefined} ms */
export function milliseconds(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms === 0) return "0 ms";
  if (ms >= 1_000) return `${(ms / 1e3).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return `${ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : count(ms)} ms`;
}

/** @param {number | null | undefined} seconds */
export function seconds(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  return seconds < 10 ? milliseconds(seconds * 1e3) : duration(seconds * 1e3);
}

/**
 * All and nothing are said of exactly that only.
 *
 * @param {number} part @param {number} whole
 */
export function share(part, whole) {
  if (whole === 0) return "–";
  const percent = part / whole * 100;
  if (part > 0 && percent < 0.01) return "<0.01 %";
  if (part < whole && percent >= 99.95) return ">99.9 %";
  return `${percent.toFixed(percent < 10 && percent !== 0 ? 2 : 1)} %`;
}

/** `2 h 5 min`, two units at most. @param {number} ms */
export function duration(ms) {
  const s = Math.max(0, Math.round(ms / 1e3));
  if (s < 60) return `${s} s`;
  if (s < 3_600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86_400) {
    return `${Math.floor(s / 3_600)} h ${Math.floor(s % 3_600 / 60)} min`;
  }
  return `${Math.floor(s / 86_400)} d ${Math.floor(s % 86_400 / 3_600)} h`;
}

/** `03:12:07` here. @param {number} at */
export function clock(at) {
  return new Date(at).toLocaleTimeString("en-GB");
}

/** `2026-01-31 03:12:07` here. @param {number} at */
export function dateTime(at) {
  const date = new Date(at);
  const pad = (/** @type {number} */ n) => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${
    pad(date.getDate())
  } ${clock(at)}`;
}

/** `mismatch_row_count` → `row count`. @param {string} name */
export function words(name) {
  return name.replaceAll("_", " ");
}
