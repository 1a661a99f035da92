/**
 * Text for a terminal. What comes from clients and servers (SQL, names,
 * versions) may hold escape sequences, which a terminal would obey, and
 * characters that turn the direction of what follows: each is shown as one `�`.
 */
export function printable(text: string): string {
  return text.replaceAll(/[\t\n\r ]+/g, " ")
    .replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, "\ufffd");
}

/** At most `width` characters, `…` at the end if some are missing. */
export function clip(text: string, width: number): string {
  const characters = [...text];
  if (characters.length <= width) return text;
  return width < 1 ? "" : `${characters.slice(0, width - 1).join("")}…`;
}

const integer = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export function count(n: number): string {
  return integer.format(n);
}

export function milliseconds(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return "–";
  if (ms === 0) return "0 ms";
  if (ms >= 1_000) return `${(ms / 1e3).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return `${ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : count(ms)} ms`;
}

/** `2 h 5 min`, two units at most. */
export function duration(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1e3));
  if (s < 60) return `${s} s`;
  if (s < 3_600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86_400) {
    return `${Math.floor(s / 3_600)} h ${Math.floor(s % 3_600 / 60)} min`;
  }
  return `${Math.floor(s / 86_400)} d ${Math.floor(s % 86_400 / 3_600)} h`;
}

const BARS = "▁▂▃▄▅▆▇█";

/** The last `width` values as bars from 0 to `top`; what is null is a gap. */
export function sparkline(
  values: readonly (number | null)[],
  width: number,
  top: number,
): string {
  return values.slice(-width).map((value) =>
    value === null
      ? " "
      : BARS[Math.min(BARS.length - 1, Math.floor(value / top * BARS.length))]
  ).join("");
}
