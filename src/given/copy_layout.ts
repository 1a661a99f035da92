/** How the rows of a COPY … FROM STDIN are written (manual, COPY, "File Formats"). */
export type CopyLayout =
  | { readonly format: "binary" }
  | {
    readonly format: "text" | "csv";
    /** Bytes. */
    readonly delimiter: number;
    readonly quote: number;
    /** 0: a quote within quotes is doubled. */
    readonly escape: number;
    readonly hasHeader: boolean;
    /** What stands for NULL. */
    readonly null: string;
  };

/** The fields of a CopyStmt, as the parser tells them. */
type Tree = Readonly<Record<string, unknown>>;

/** They say nothing of where a row ends, and nothing of columns that they do not name. */
const HARMLESS: ReadonlySet<string> = new Set([
  "freeze",
  "force_null",
  "force_not_null",
]);

/**
 * Reads the options of a COPY.
 *
 * @returns undefined if its data do not come from the client, or one of its
 * options may matter for more columns than it has: then nothing is known.
 */
export function copyLayout(copy: Tree): CopyLayout | undefined {
  const { is_from, filename, is_program, whereClause, options } = copy;
  const isOther = is_from !== true || filename !== undefined ||
    is_program === true || whereClause !== undefined;
  if (isOther) return undefined;
  const given = new Map<string, Tree>();
  for (const { DefElem } of (options ?? []) as { DefElem: Tree }[]) {
    const { defname, arg } = DefElem as { defname: string; arg?: Tree };
    // FORCE_NULL * is for all columns, also for those that are added.
    if (HARMLESS.has(defname) && !("A_Star" in (arg ?? {}))) continue;
    if (!KNOWN.has(defname)) return undefined;
    given.set(defname, arg ?? { Boolean: { boolval: true } });
  }
  const textOf = (name: string, other: string) => {
    const arg = given.get(name);
    return arg === undefined
      ? other
      : (arg.String as { sval?: string } | undefined)?.sval ?? "";
  };
  const format = textOf("format", "text");
  if (format === "binary") return { format };
  if (format !== "text" && format !== "csv") return undefined;
  const hasHeader = headerOf(given.get("header"));
  const isCsv = format === "csv";
  const delimiter = textOf("delimiter", isCsv ? "," : "\t");
  const quote = textOf("quote", '"');
  const escape = textOf("escape", quote);
  const areBytes = [delimiter, quote, escape].every((text) => BYTE.test(text));
  if (hasHeader === undefined || !areBytes) return undefined;
  return {
    format,
    delimiter: delimiter.charCodeAt(0),
    quote: quote.charCodeAt(0),
    escape: escape === quote ? 0 : escape.charCodeAt(0),
    hasHeader,
    null: textOf("null", isCsv ? "" : "\\N"),
  };
}

const KNOWN: ReadonlySet<string> = new Set([
  "format",
  "delimiter",
  "null",
  "header",
  "quote",
  "escape",
]);
// deno-lint-ignore no-control-regex
const BYTE = /^[\x01-\x7f]$/;

/** Undefined: the line is held against the names of the columns. */
function headerOf(arg: Tree | undefined): boolean | undefined {
  if (arg === undefined) return false;
  if ("Boolean" in arg) {
    return (arg.Boolean as { boolval?: boolean }).boolval === true;
  }
  if ("Integer" in arg) return (arg.Integer as { ival?: number }).ival === 1;
  switch ((arg.String as { sval?: string } | undefined)?.sval?.toLowerCase()) {
    case "true":
    case "on":
      return true;
    case "false":
    case "off":
      return false;
    default:
      return undefined;
  }
}
