import type { CopyFormat } from "./shape.ts";
import { list, type Node } from "./tree.ts";

/** They leave delimiters, quotes and NULL as they are. */
const HARMLESS: ReadonlySet<string> = new Set([
  "format",
  "header",
  "encoding",
  "force_quote",
]);

/** The format of a CopyStmt's rows; undefined: it has delimiters or a NULL of its own. */
export function copyFormat(copy: Node): CopyFormat | undefined {
  let format: CopyFormat = "text";
  for (const { DefElem } of list(copy.options)) {
    const { defname, arg } = DefElem as { defname: string; arg?: Node };
    if (!HARMLESS.has(defname)) return undefined;
    if (defname !== "format") continue;
    const { sval } = (arg?.String ?? {}) as { sval?: string };
    if (sval !== "text" && sval !== "csv" && sval !== "binary") {
      return undefined;
    }
    format = sval;
  }
  return format;
}
