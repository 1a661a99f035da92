/**
 * Which rows of VALUES were written, by their numbers, where ON CONFLICT or a
 * trigger has left others out: those written are in the order of the text.
 *
 * @param isPossible whether nothing tells that a row that was written is not that one.
 * @returns "several" if it may be one or another; undefined if it is none.
 */
export function valuesPlaces(
  written: number,
  values: number,
  isPossible: (row: number, place: number) => boolean,
): readonly number[] | "several" | undefined {
  const first: number[] = [];
  for (let place = 0; place < values && first.length < written; place++) {
    if (isPossible(first.length, place)) first.push(place);
  }
  if (first.length < written) return undefined;
  // The last places that are possible: if they are the first ones, there are no others.
  let row = written - 1;
  for (let place = values - 1; row >= 0; place--) {
    if (!isPossible(row, place)) continue;
    if (first[row] !== place) return "several";
    row--;
  }
  return first;
}
