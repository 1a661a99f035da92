import { parse } from "smol-toml";
import { z } from "zod";

const CLASSES = [
  "clean",
  "rows",
  "row_count",
  "columns",
  "command_tag",
  "error_on_mirror",
  "error_on_primary",
  "sqlstate",
  "note_catalog",
  "note_plan",
  "note_error",
] as const;

const shared = {
  /** Of primary and mirror. */
  versions: z.tuple([z.literal("15"), z.enum(["15", "18"])]).optional(),
  /** SQL run beforehand on both sides, then on one of them, in a database of the case's own. */
  setup: z.string().optional(),
  primary: z.string().optional(),
  mirror: z.string().optional(),
  protocol: z.enum(["simple", "extended", "prepared", "binary"]).optional(),
};

const corpusCase = z.strictObject({
  ...shared,
  name: z.string(),
  /** Sent through the proxy; the last one is what the case is about. */
  statements: z.array(z.string()).min(1),
  /** Of the last statement: with them it is not sent by the simple protocol. */
  parameters: z.array(z.string()).optional(),
  /** What the last statement, a COPY FROM STDIN, is sent. */
  copy: z.string().optional(),
  /** The class of mismatch or note that the last statement has, and no other one. */
  expect: z.enum(CLASSES),
  /** The statement that the last one runs: an EXECUTE is judged as what was prepared. */
  judged_as: z.string().optional(),
  /** The column that the example must name. */
  column: z.string().optional(),
  /** What the example must show of both sides there. */
  values: z.tuple([z.string(), z.string()]).optional(),
  /** The example must say that nothing but the order differs. */
  order: z.literal(true).optional(),
  /** The judge does not see it yet, sees what is not there, or does not name the place. */
  today: z.enum(["missed", "false alarm", "not named"]).optional(),
});

const corpusFile = z.strictObject({
  ...shared,
  case: z.array(corpusCase).min(1),
});

/** A case, with what its file says of all. */
export type CorpusCase = z.output<typeof corpusCase> & {
  readonly file: string;
  readonly versions: readonly ["15", "15" | "18"];
};

/** All cases of a folder's TOML files. @throws if a file is not as it should be, or two cases have one name. */
export async function readCorpus(folder: URL): Promise<readonly CorpusCase[]> {
  const cases: CorpusCase[] = [];
  for await (const { name: file } of Deno.readDir(folder)) {
    if (!file.endsWith(".toml")) continue;
    const text = await Deno.readTextFile(new URL(file, folder));
    const result = corpusFile.safeParse(parse(text));
    if (!result.success) {
      throw new Error(`${file}: ${z.prettifyError(result.error)}`);
    }
    const { case: list, ...all } = result.data;
    for (const one of list) {
      const { versions = ["15", "18"], ...rest } = { ...all, ...one };
      if (cases.some((c) => c.file === file && c.name === one.name)) {
        throw new Error(`${file}: two cases are named "${one.name}"`);
      }
      cases.push({ ...rest, versions, file });
    }
  }
  return cases.toSorted((a, b) => a.file < b.file ? -1 : 1);
}
