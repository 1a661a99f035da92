import { join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** One import or re-export of a module. */
export interface ModuleImport {
  /** As it is written in the source. */
  readonly specifier: string;
  /** The imported file as a path from the root; undefined if it is none of the tree's. */
  readonly path: string | undefined;
  /** True if nothing of it is left after transpiling. */
  readonly typeOnly: boolean;
  /** True for `import()`: it is loaded when the call is made. */
  readonly dynamic: boolean;
}

/** A TypeScript file of the tree. */
export interface SourceModule {
  /** From the root, as `src/wire/framer.ts`. */
  readonly path: string;
  readonly imports: readonly ModuleImport[];
}

/** The parts of `deno info --json` that are read here. */
interface Info {
  readonly modules: readonly {
    readonly specifier: string;
    readonly error?: string;
    readonly dependencies?: readonly InfoDependency[];
  }[];
}

interface InfoDependency {
  readonly specifier: string;
  readonly code?: { readonly specifier?: string };
  readonly type?: { readonly specifier?: string };
  readonly isDynamic?: boolean;
}

/**
 * The TypeScript files below `parts`, and what each of them imports, by Deno's
 * own parser. Nothing is downloaded and nothing is run.
 *
 * @param root the tree's folder; its deno.json has the import map, if it is there.
 * @param parts files and folders in it, as `main.ts` or `src`.
 * @throws {Error} if a file can't be parsed.
 */
export async function readModules(
  root: string,
  parts: readonly string[],
): Promise<SourceModule[]> {
  const paths = parts.flatMap((part) => [...sourceFiles(root, part)]);
  const info = await denoInfo(root, paths);
  const modules = new Map(info.modules.map((module) => [
    module.specifier,
    module,
  ]));
  return paths.map((path) => {
    const module = modules.get(pathToFileURL(join(root, path)).href);
    if (module === undefined || module.error !== undefined) {
      throw new Error(`Cannot read "${path}": ${module?.error ?? "not found"}`);
    }
    const imports = (module.dependencies ?? []).map((dependency) => ({
      specifier: dependency.specifier,
      path: pathInTree(root, dependency),
      typeOnly: dependency.code === undefined,
      dynamic: dependency.isDynamic === true,
    }));
    return { path, imports };
  });
}

/** Paths from the root of the TypeScript files in `part`, sorted. */
function* sourceFiles(root: string, part: string): Generator<string> {
  if (!Deno.statSync(join(root, part)).isDirectory) {
    yield part;
    return;
  }
  const entries = [...Deno.readDirSync(join(root, part))]
    .sort((a, b) => a.name < b.name ? -1 : 1);
  for (const { name, isDirectory } of entries) {
    if (isDirectory) yield* sourceFiles(root, `${part}/${name}`);
    else if (name.endsWith(".ts")) yield `${part}/${name}`;
  }
}

/** `deno info` takes one module, so it is given one that imports them all. */
async function denoInfo(root: string, paths: readonly string[]): Promise<Info> {
  const folder = await Deno.makeTempDir({ prefix: "pgdog-mirror-graph-" });
  try {
    const entry = join(folder, "entry.ts");
    const imports = paths.map((path) =>
      `import ${JSON.stringify(pathToFileURL(join(root, path)).href)};\n`
    );
    await Deno.writeTextFile(entry, imports.join(""));
    const config = join(root, "deno.json");
    const hasConfig = await Deno.stat(config).then(() => true, () => false);
    const { success, stdout, stderr } = await new Deno.Command(
      Deno.execPath(),
      {
        args: [
          "info",
          "--json",
          "--no-npm",
          "--no-remote",
          "--no-lock",
          ...(hasConfig ? [`--config=${config}`] : ["--no-config"]),
          entry,
        ],
      },
    ).output();
    const decoder = new TextDecoder();
    if (!success) throw new Error(decoder.decode(stderr));
    return JSON.parse(decoder.decode(stdout)) as Info;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function pathInTree(
  root: string,
  { code, type }: InfoDependency,
): string | undefined {
  const url = (code ?? type)?.specifier;
  if (url === undefined || !url.startsWith("file:")) return undefined;
  const path = relative(root, fileURLToPath(url));
  return path.startsWith("..") ? undefined : path;
}
