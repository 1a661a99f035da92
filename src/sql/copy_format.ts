import type { CopyFormat } from "./shape.ts";
import { list, type Node } from "./tree.ts";

/** They leave delimiters, quotes and NULL as they are. */
const HARMLESS: ReadonlySet<string> = new Set([
  "format",
  "header",
  "encoding",
  "force_quote",
]);

/** Messages of a COPY … TO that hold no row: a line of names, and what ends the binary format. */
export function framesOfCopy(copy: Node): number {
  const options = list(copy.options).map(({ DefElem }) => DefElem as Node);
  const hasHeader = options.some(({ defname, arg }) =>
    defname === "header" && !isOff(arg as Node | undefined)
  );
  return hasHeader || copyFormat(copy) === "binary" ? 1 : 0;
}

/** Whether an option says no (defGetCopyHeaderOption in copy.c). */
function isOff({ Boolean: known, Integer, String: word }: Node = {}): boolean {
  if (known !== undefined) return (known as Node).boolval !== true;
  if (Integer !== undefined) return (Integer as Node).ival !== 1;
  return /^(false|off)$/i.test(String((word as Node | undefined)?.sval));
}

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
