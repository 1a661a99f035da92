import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readModules } from "../tools/module_graph.ts";
import { callProblems, circles, importProblems } from "./support/layering.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PARTS = ["main.ts", "src", "plugins"];

async function problemsOf(root: string): Promise<string[]> {
  const modules = await readModules(root, PARTS);
  return [
    ...importProblems(modules),
    ...modules.flatMap(({ path }) =>
      callProblems(path, Deno.readTextFileSync(join(root, path)))
    ),
  ];
}

/** The problems of a tree of the given files; `main.ts` and the folders are there in any case. */
async function problemsOfFiles(
  files: Readonly<Record<string, string>>,
): Promise<string[]> {
  const root = await Deno.makeTempDir({ prefix: "pgdog-mirror-layering-" });
  try {
    const tree = { "main.ts": "", "src/control/version.ts": "", ...files };
    await Deno.mkdir(join(root, "plugins"));
    for (const [path, text] of Object.entries(tree)) {
      await Deno.mkdir(dirname(join(root, path)), { recursive: true });
      await Deno.writeTextFile(join(root, path), text);
    }
    return await problemsOf(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

const MODULE = "export const x = 1;\nexport type X = number;\n";

Deno.test("layering: imports in this tree go one way", async () => {
  assert.deepEqual(await problemsOf(ROOT), []);
});

Deno.test("layering: no files import each other in a circle, not even for types", async () => {
  assert.deepEqual(circles(await readModules(ROOT, PARTS)), []);
  const module = (path: string, ...imports: string[]) => ({
    path,
    imports: imports.map((imported) => ({
      specifier: imported,
      path: imported,
      typeOnly: true,
      dynamic: false,
    })),
  });
  const planted = [
    module("a", "b", "d"),
    module("b", "c"),
    module("c", "a"),
    module("d", "e"),
    module("e", "elsewhere"),
  ];
  assert.deepEqual(circles(planted), [["a", "b", "c"]]);
});

Deno.test("layering: nothing lies loose in src", () => {
  const loose = [...Deno.readDirSync(join(ROOT, "src"))]
    .filter(({ isFile }) => isFile).map(({ name }) => name);
  assert.deepEqual(loose, []);
});

Deno.test("layering: every file of the tree is looked at", async () => {
  const modules = await readModules(ROOT, PARTS);
  const paths = modules.map(({ path }) => path);
  for (
    const path of ["main.ts", "src/control/supervisor.ts", "src/wire/framer.ts"]
  ) {
    assert.ok(paths.includes(path), path);
  }
  const edges = modules.flatMap(({ imports }) => imports);
  assert.ok(edges.some(({ typeOnly, path }) => typeOnly && path));
  assert.ok(edges.some(({ specifier }) => specifier === "zod"));
});

Deno.test("layering: what is allowed is no problem", async () => {
  assert.deepEqual(
    await problemsOfFiles({
      "main.ts": `import "./src/cli/mod.ts"; import "./plugins/one/mod.ts";`,
      "src/cli/mod.ts": `// Not Deno.dlopen() here\nDeno.exit(0);`,
      "src/io/libc.ts": `Deno.dlopen("libc.so.6", {});`,
      "src/wire/mod.ts": MODULE,
      "src/proxy/tap.ts": `import "../wire/mod.ts"; import "./relay.ts";`,
      "src/proxy/relay.ts": MODULE,
      "src/stats/mod.ts": MODULE,
      "src/plugin/api.ts": `export { x } from "../stats/mod.ts";`,
      "src/plugin/host.ts":
        `import type { X } from "../stats/mod.ts"; let x: X;`,
      "plugins/one/mod.ts":
        `import "../../src/plugin/api.ts"; import "./own.ts"; import "zod";`,
      "plugins/one/own.ts": MODULE,
    }),
    [],
  );
});

Deno.test("layering: a planted import the wrong way is named", async (t) => {
  const planted: readonly [file: string, text: string, problem: string][] = [
    [
      "src/wire/framer.ts",
      `import { x } from "../stats/mod.ts";`,
      `"src/wire" may not import "src/stats/mod.ts"`,
    ],
    [
      "src/record/ring.ts",
      `import type { X } from "../stats/mod.ts";`,
      `"src/record" may not import "src/stats/mod.ts"`,
    ],
    [
      "src/proxy/relay.ts",
      `await import("../replay/lane.ts");`,
      `"src/proxy" may not import "src/replay/lane.ts"`,
    ],
    [
      "src/replay/lane.ts",
      `export * from "../proxy/tap.ts";`,
      `"src/replay" may not import "src/proxy/tap.ts"`,
    ],
    [
      "src/judge/mod.ts",
      `import type { X } from "../replay/lane.ts";`,
      `"src/judge" may not import "src/replay/lane.ts"`,
    ],
    [
      "src/admin/mod.ts",
      `import "../plugin/host.ts";`,
      `"src/admin" may not import "src/plugin/host.ts"`,
    ],
    [
      "src/plugin/host.ts",
      `import { x } from "../stats/mod.ts";`,
      `"src/plugin" may import "src/stats/mod.ts" for its types only`,
    ],
    [
      "src/control/supervisor.ts",
      `import "../../plugins/one/mod.ts";`,
      `"src/control" may not import "plugins/one/mod.ts"`,
    ],
    [
      "plugins/two/mod.ts",
      `import "../one/mod.ts";`,
      `"plugins/two" may not import "plugins/one/mod.ts"`,
    ],
    [
      "plugins/two/mod.ts",
      `import type { X } from "../../src/stats/mod.ts";`,
      `"plugins/two" may not import "src/stats/mod.ts"`,
    ],
    [
      "src/proxy/relay.ts",
      `import "../stats/registry.ts";`,
      `"src/stats/registry.ts" is behind "src/stats/mod.ts"`,
    ],
    [
      "src/extra/mod.ts",
      `import "../stats/mod.ts";`,
      `"src/extra" has no place in the layers yet`,
    ],
    [
      "src/wire/framer.ts",
      `import "../../../elsewhere.ts";`,
      `"../../../elsewhere.ts" is neither in the tree nor from npm`,
    ],
    [
      "src/proxy/relay.ts",
      `export const open = () => Deno.dlopen("x", {});`,
      "Deno.dlopen() is called by src/io only",
    ],
    [
      "src/control/supervisor.ts",
      `export const end = () => Deno.exit(1);`,
      "Deno.exit() is called by src/cli only",
    ],
  ];
  for (const [file, text, problem] of planted) {
    await t.step(problem, async () => {
      const tree: Record<string, string> = {
        "src/replay/lane.ts": MODULE,
        "src/proxy/tap.ts": MODULE,
        "src/stats/mod.ts": MODULE,
        "src/stats/registry.ts": MODULE,
        "src/plugin/host.ts": MODULE,
        "plugins/one/mod.ts": MODULE,
      };
      tree[file] = text;
      assert.deepEqual(await problemsOfFiles(tree), [`${file}: ${problem}`]);
    });
  }
});
