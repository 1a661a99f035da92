/**
 * bench/RESULTS.md: one section for each program, replaced by its next run.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { run } from "./support.ts";

const FILE = new URL("../RESULTS.md", import.meta.url);
const HEAD = `# Results

Written by the programs in bench/load; what they mean is in
[README.md](README.md). Rounds are interleaved, each target in turn, and medians
are given: figures compare within one section only.
`;

/**
 * Puts a section under its title, with the machine, the date and the command
 * that gave it.
 *
 * @param command as it is typed in the project's folder.
 * @param body Markdown.
 */
export async function writeSection(
  title: string,
  command: string,
  body: string,
): Promise<void> {
  const text = await Deno.readTextFile(FILE).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return HEAD;
    throw error;
  });
  const [head, ...sections] = text.split(/^(?=## )/m) as [string, ...string[]];
  const section = `## ${title}

\`\`\`sh
${command}
\`\`\`

${await machine()}, ${new Date().toISOString().slice(0, 10)}.

${body.trim()}
`;
  const at = sections.findIndex((other) => other.startsWith(`## ${title}\n`));
  if (at < 0) sections.push(section);
  else sections[at] = section;
  const parts = [head, ...sections].map((part) => `${part.trim()}\n`);
  await Deno.writeTextFile(FILE, parts.join("\n"));
  await run(Deno.execPath(), ["fmt", "--quiet", fileURLToPath(FILE)]);
}

/** A Markdown table: the keys of the first row are the header. */
export function table(
  rows: readonly Readonly<Record<string, string | number>>[],
): string {
  const keys = Object.keys(rows[0] ?? {});
  const line = (cells: readonly (string | number)[]) =>
    `| ${cells.join(" | ")} |`;
  return [
    line(keys),
    line(
      keys.map((key) => typeof rows[0]?.[key] === "number" ? "---:" : "---"),
    ),
    ...rows.map((row) => line(keys.map((key) => row[key] ?? ""))),
  ].join("\n");
}

async function machine(): Promise<string> {
  const cpu = await Deno.readTextFile("/proc/cpuinfo").catch(() => "");
  const model = cpu.match(/^model name\s*:\s*(.*)$/m)?.[1] ?? Deno.build.arch;
  const memory = Math.round(Deno.systemMemoryInfo().total / 2 ** 30);
  return `${navigator.hardwareConcurrency} cores (${model}), ${memory} GiB, Linux ${Deno.osRelease()}, Deno ${Deno.version.deno}`;
}
