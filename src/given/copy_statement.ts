import { parseSync } from "libpg-query";
import { type CopyLayout, copyLayout } from "./copy_layout.ts";
import { text as treeText, type Tree } from "./proof.ts";
import { TextCursor } from "./text_cursor.ts";
import { quoted, spliced } from "./texts.ts";

/** A COPY with columns added to its list. */
export interface WrittenCopy {
  readonly text: Uint8Array<ArrayBuffer>;
  readonly layout: CopyLayout;
}

const decoder = new TextDecoder();

/**
 * Writes a COPY's text with more columns behind its own.
 *
 * @param text the client's; it has a list of columns.
 * @returns undefined if the text is not as expected: what is written is taken
 * only if the parser says that it is the client's and nothing more.
 */
export function withColumns(
  text: Uint8Array,
  columns: readonly string[],
): WrittenCopy | undefined {
  const cursor = new TextCursor(text, 0, text.length);
  const isList = cursor.take("copy") &&
    (cursor.take("binary"), cursor.name()) && cursor.take("(");
  const list = isList ? cursor.until((token) => token === ")") : undefined;
  if (list === undefined) return undefined;
  const names = columns.map((name) => `, ${quoted(name)}`).join("");
  const edit = { from: list.to, to: list.to, text: names };
  const written = spliced(text, 0, text.length, [edit]);
  const old = copyOf(text);
  const layout = old && copyLayout(old);
  const copy = copyOf(written);
  if (old === undefined || copy === undefined || layout === undefined) {
    return undefined;
  }
  const all = copy.attlist as readonly Tree[];
  const own = all.slice(0, all.length - columns.length);
  const added = all.slice(own.length).map(({ String: name }) =>
    (name as Tree).sval
  );
  const isProved = treeText(added) === treeText(columns) &&
    treeText({ ...copy, attlist: own }) === treeText(old);
  return isProved ? { text: written, layout } : undefined;
}

/** How the rows of a COPY are written; undefined: that is not known. */
export function copyLayoutOf(text: Uint8Array): CopyLayout | undefined {
  const copy = copyOf(text);
  return copy && copyLayout(copy);
}

/** The only statement of a text, if it is a COPY. */
function copyOf(text: Uint8Array): Tree | undefined {
  try {
    const { stmts = [] } = parseSync(decoder.decode(text.slice())) as {
      stmts?: { stmt: Tree }[];
    };
    const [only] = stmts;
    return stmts.length === 1
      ? only?.stmt.CopyStmt as Tree | undefined
      : undefined;
  } catch {
    // The text does not parse.
    return undefined;
  }
}
