import type { ModuleImport, SourceModule } from "../../tools/module_graph.ts";

/** What a part of the tree may import of ours, besides itself. */
interface Layer {
  /** Folders and files. */
  readonly uses: readonly string[];
  /** Only as types: nothing of them is loaded. */
  readonly usesTypes?: readonly string[];
}

const WORKER: Layer = {
  uses: [
    "src/auth",
    "src/control",
    "src/digest",
    "src/episode.ts",
    "src/io",
    "src/plugin",
    "src/ring",
    "src/sql",
    "src/stats",
    "src/tls",
    "src/wire",
  ],
};
const SERVER: Layer = {
  uses: [
    "src/accept_loop.ts",
    "src/log.ts",
    "src/plugin/api.ts",
    "src/stats",
    "src/wire",
  ],
};
/** The main thread's own files: they see all of `src/`, plugins not. */
const MAIN_THREAD: Layer = { uses: ["src", "deno.json"] };
const PLUGIN: Layer = { uses: ["src/plugin/api.ts"] };

/** A folder or file that is not here has no place yet: give it one. */
const LAYERS: Readonly<Record<string, Layer>> = {
  "src/accept_loop.ts": { uses: ["src/episode.ts"] },
  "src/config": { uses: [] },
  "src/episode.ts": { uses: [] },
  "src/io": { uses: [] },
  "src/ring": { uses: [] },
  "src/stats": { uses: [] },
  "src/wire": { uses: [] },
  "src/version.ts": { uses: ["deno.json"] },
  "src/control": { uses: ["src/io"], usesTypes: ["src/stats"] },
  "src/digest": { uses: ["src/ring", "src/wire"] },
  "src/sql": { uses: ["src/wire"] },
  "src/auth": { uses: ["src/wire"] },
  // What a plugin may import is handed on by this one file.
  "src/plugin/api.ts": { uses: ["src/stats"] },
  "src/plugin": { uses: [], usesTypes: ["src/stats"] },
  "src/log.ts": { uses: ["src/plugin/api.ts"] },
  "src/tls": { uses: ["src/io", "src/wire"], usesTypes: ["src/config"] },
  "src/mirror": WORKER,
  "src/proxy": WORKER,
  "src/admin": SERVER,
  "src/http": SERVER,
  "src/addresses.ts": MAIN_THREAD,
  "src/auth_settings.ts": MAIN_THREAD,
  "src/certificates.ts": MAIN_THREAD,
  "src/client_limits.ts": MAIN_THREAD,
  "src/cli": MAIN_THREAD,
  "src/descriptors.ts": MAIN_THREAD,
  "src/names.ts": MAIN_THREAD,
  "src/operations.ts": MAIN_THREAD,
  "src/replica_warning.ts": MAIN_THREAD,
  "src/routing.ts": MAIN_THREAD,
  "src/settled.ts": MAIN_THREAD,
  "src/sources.ts": MAIN_THREAD,
  "src/supervisor.ts": MAIN_THREAD,
  "src/worker_handle.ts": MAIN_THREAD,
  "src/workers.ts": MAIN_THREAD,
  "main.ts": { uses: ["src", "plugins"] },
};

/** Files that others may import although their folder has a `mod.ts`. */
const SIDE_DOORS: readonly string[] = [
  // A worker's entry point: the main thread names the type of its first message.
  "src/mirror/worker.ts",
  "src/proxy/worker.ts",
  // All that a plugin sees.
  "src/plugin/api.ts",
  // What a reload puts in a worker's hands, as types.
  "src/mirror/target.ts",
  "src/proxy/route.ts",
  // Types for the hot path's signatures.
  "src/plugin/probe_set.ts",
  // Signals are caught before the rest is loaded.
  "src/cli/signals.ts",
  // They load the SQL parser, which a proxy worker has no use for.
  "src/sql/shape.ts",
  "src/sql/shape_cache.ts",
  // Names only, without the registry.
  "src/stats/ledger.ts",
  // Shared with the main thread; the registry has no part in it.
  "src/stats/client_table.ts",
  // It loads the tables of SASLprep, which a relay has no use for.
  "src/wire/scram.ts",
];

/** Calls that one folder keeps to itself. */
const OWNED_CALLS = [
  { call: /\bDeno\.(dlopen|UnsafePointerView)\(/, owner: "src/io" },
  { call: /\b(Deno|process)\.exit\(/, owner: "src/cli" },
];

/** Every import that goes the wrong way, as `file: reason`. */
export function importProblems(modules: readonly SourceModule[]): string[] {
  const paths = new Set(modules.map(({ path }) => path));
  const hasDoor = (folder: string) => paths.has(`${folder}/mod.ts`);
  return modules.flatMap(({ path, imports }) =>
    imports.flatMap((imported) => {
      const problem = problemOf(path, imported, hasDoor);
      return problem === undefined ? [] : [`${path}: ${problem}`];
    })
  );
}

/** Every call in `text` that belongs to another folder, as `file: reason`. */
export function callProblems(path: string, text: string): string[] {
  const code = text.replaceAll(/^\s*(\*|\/\/|\/\*).*$/gm, "");
  return OWNED_CALLS
    .filter(({ owner }) => partOf(path) !== owner)
    .flatMap(({ call, owner }) => {
      const found = call.exec(code);
      return found === null
        ? []
        : [`${path}: ${found[0]}) is called by ${owner} only`];
    });
}

function problemOf(
  from: string,
  { specifier, path, typeOnly }: ModuleImport,
  hasDoor: (folder: string) => boolean,
): string | undefined {
  if (path === undefined) {
    return /^(\.|file:|https?:|jsr:)/.test(specifier)
      ? `"${specifier}" is neither in the tree nor from npm`
      : undefined;
  }
  const part = partOf(from);
  const other = partOf(path);
  if (part === other) return undefined;
  const layer = layerOf(from);
  if (layer === undefined) return `"${part}" has no place in the layers yet`;
  if (!isWithin(path, layer.uses)) {
    if (!isWithin(path, layer.usesTypes ?? [])) {
      return `"${part}" may not import "${path}"`;
    }
    if (!typeOnly) return `"${part}" may import "${path}" for its types only`;
  }
  if (
    hasDoor(other) && path !== `${other}/mod.ts` && !SIDE_DOORS.includes(path)
  ) {
    return `"${path}" is behind "${other}/mod.ts"`;
  }
  return undefined;
}

function layerOf(path: string): Layer | undefined {
  if (path.startsWith("plugins/")) return PLUGIN;
  return LAYERS[path] ?? LAYERS[partOf(path)];
}

/** `src/wire/framer.ts` is in `src/wire`, `src/log.ts` and `main.ts` are parts of their own. */
function partOf(path: string): string {
  return path.split("/").slice(0, 2).join("/");
}

function isWithin(path: string, places: readonly string[]): boolean {
  return places.some((place) => path === place || path.startsWith(`${place}/`));
}
