import type { ModuleImport, SourceModule } from "../../tools/module_graph.ts";

/** What a part of the tree may import of ours, besides itself. */
interface Layer {
  /** Folders and files. */
  readonly uses: readonly string[];
  /** Only as types: nothing of them is loaded. */
  readonly usesTypes?: readonly string[];
}

const SERVER: Layer = {
  uses: [
    "src/listen",
    "src/log",
    "src/plugin/api.ts",
    "src/stats",
    "src/wire",
  ],
};
const WORKER: readonly string[] = [
  "src/auth",
  "src/io",
  "src/listen",
  "src/mailbox",
  "src/plugin",
  "src/record",
  "src/sql",
  "src/stats",
  "src/tls",
  "src/wire",
];
/** The main thread: it sees all of `src/`, plugins not. */
const MAIN_THREAD: Layer = { uses: ["src", "deno.json"] };
const PLUGIN: Layer = { uses: ["src/plugin/api.ts"] };

/** A folder or file that is not here has no place yet: give it one. */
const LAYERS: Readonly<Record<string, Layer>> = {
  "src/config": { uses: ["src/sql/unsafe_kinds.ts"] },
  "src/io": { uses: [] },
  "src/listen": { uses: [] },
  "src/stats": { uses: [] },
  "src/wire": { uses: [] },
  "src/record": { uses: ["src/wire"] },
  "src/mailbox": { uses: ["src/io"], usesTypes: ["src/stats"] },
  "src/sql": { uses: ["src/wire"] },
  "src/auth": { uses: ["src/wire"] },
  // What a plugin may import is handed on by this one file.
  "src/plugin/api.ts": { uses: ["src/stats"] },
  "src/plugin": { uses: [], usesTypes: ["src/stats"] },
  "src/log": { uses: ["src/plugin/api.ts"] },
  "src/tls": { uses: ["src/io", "src/wire"], usesTypes: ["src/config"] },
  "src/catalog": { uses: ["src/sql", "src/wire"] },
  "src/judge": {
    uses: ["src/catalog", "src/record", "src/sql", "src/stats", "src/wire"],
  },
  "src/proxy": { uses: WORKER },
  "src/given": {
    uses: [
      "src/catalog",
      "src/judge",
      "src/record",
      "src/sql",
      "src/stats",
      "src/wire",
    ],
  },
  "src/decoding": {
    uses: [
      "src/catalog",
      "src/given",
      "src/judge",
      "src/record",
      "src/sql",
      "src/wire",
    ],
    usesTypes: ["src/io"],
  },
  "src/replay": {
    uses: [...WORKER, "src/catalog", "src/decoding", "src/given", "src/judge"],
  },
  "src/admin": SERVER,
  "src/http": SERVER,
  "src/control": MAIN_THREAD,
  "src/cli": MAIN_THREAD,
  "main.ts": { uses: ["src", "plugins"] },
};

/** Files that others may import although their folder has a `mod.ts`. */
const SIDE_DOORS: readonly string[] = [
  // A worker's entry point: the main thread names the type of its first message.
  "src/replay/worker.ts",
  "src/proxy/worker.ts",
  // All that a plugin sees.
  "src/plugin/api.ts",
  // What a reload puts in a worker's hands, as types.
  "src/replay/target.ts",
  "src/proxy/route.ts",
  // Types for the hot path's signatures.
  "src/plugin/probe_set.ts",
  // Signals are caught before the rest is loaded.
  "src/cli/signals.ts",
  // They load the SQL parser, which a proxy worker has no use for.
  "src/sql/shape.ts",
  "src/sql/shape_cache.ts",
  "src/sql/analyze.ts",
  "src/sql/unsafe_code.ts",
  // Names only, without the parser.
  "src/sql/unsafe_kinds.ts",
  // What shapes consist of.
  "src/sql/trait.ts",
  "src/sql/pinned_values.ts",
  // Names only, without the registry.
  "src/stats/ledger.ts",
  // Shared with the main thread; the registry has no part in it.
  "src/stats/connection_table.ts",
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

/** `src/wire/framer.ts` is in `src/wire`, `src/log/mod.ts` and `main.ts` are parts of their own. */
function partOf(path: string): string {
  return path.split("/").slice(0, 2).join("/");
}

function isWithin(path: string, places: readonly string[]): boolean {
  return places.some((place) => path === place || path.startsWith(`${place}/`));
}

/** Files that import each other, types included, as the circles that they make. */
export function circles(modules: readonly SourceModule[]): string[][] {
  const imports = new Map(modules.map((module) => [
    module.path,
    module.imports.flatMap(({ path }) => path ?? []),
  ]));
  // Tarjan's strongly connected components.
  const order = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (path: string): number => {
    const own = order.size;
    order.set(path, own);
    stack.push(path);
    let low = own;
    for (const next of imports.get(path) ?? []) {
      if (!imports.has(next)) continue;
      if (!order.has(next)) low = Math.min(low, visit(next));
      else if (stack.includes(next)) {
        low = Math.min(low, order.get(next) as number); // visited
      }
    }
    if (low === own) {
      const circle = stack.splice(stack.indexOf(path));
      if (circle.length > 1) found.push(circle.sort());
    }
    return low;
  };
  for (const path of imports.keys()) if (!order.has(path)) visit(path);
  return found;
}
