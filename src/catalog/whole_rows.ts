/** What one row of an answer says, parts put together. */
export type WholeRow = [kind: string, name: string, text: string, more: string];

/** Kinds of rows whose texts come in parts. */
const IN_PARTS: ReadonlySet<string> = new Set([
  "view",
  "trigger",
  "policy",
  "function",
  "body",
  "functions",
  "columns",
  "change",
]);

/** An answer to CATALOG_QUESTION, each text in one row. */
export function wholeRows(
  rows: readonly (readonly string[])[],
): readonly WholeRow[] {
  const all: WholeRow[] = [];
  const begun = new Map<string, WholeRow>();
  for (const [kind = "", name = "", text = "", more = ""] of rows) {
    const row: WholeRow = [kind, name, text, more];
    if (IN_PARTS.has(kind)) {
      const key = `${kind}\0${name}\0${more}`;
      const known = begun.get(key);
      if (known !== undefined) {
        known[2] += text;
        continue;
      }
      begun.set(key, row);
    }
    all.push(row);
  }
  return all;
}
