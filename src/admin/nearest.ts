/** Longest text that is compared: the work is quadratic in it. */
const MAX_LENGTH = 64;

/** Levenshtein's distance: how many letters to insert, delete or replace. */
export function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      row.push(Math.min(
        (previous[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1),
      ));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}

/** The candidate that `text` was most likely meant to be, if one is near enough to be of help. */
export function nearest(
  text: string,
  candidates: Iterable<string>,
): string | undefined {
  const wanted = text.slice(0, MAX_LENGTH);
  let best: string | undefined;
  // More than a third wrong is another text, not a slip.
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const d = distance(wanted, candidate);
    if (d < bestDistance) {
      best = candidate;
      bestDistance = d;
    }
  }
  return best;
}
