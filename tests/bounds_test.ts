import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { TABLES } from "../src/config/mod.ts";
import { readModules } from "../tools/module_graph.ts";

const ROOT = new URL("../", import.meta.url);
const TEXT = Deno.readTextFileSync(new URL("docs/bounds.md", ROOT));

/** A constant by its name, or a static field or one of `BOUNDS` by its owner's name and its own. */
const CONSTANT =
  /^(?:export )?const ([A-Z][A-Z0-9_]*) = ([\d_.e*/ n]+);|^ {2}(?:static readonly ([A-Z][A-Z0-9_]*) =|(\w+Bytes|record\w+):) ([\d_.*/ ]+)[;,]|^export (?:class|const) (\w+)/gm;
/** Such a name is a bound's. */
const BOUND =
  /^MAX(?:_|$)|^BOUNDS\.|_(?:TIMEOUT_MS|BUDGET|LOGINS|SESSIONS|DESCRIPTORS)$/;
/** The demo's own, and what only looks like a bound. */
const OTHERS =
  /^src\/cli\/demo\/| MAX_WORD$| MAX_SPARK$|^plugins\/dashboard\/assets\//;

/** The numbers of a file's constants, as `path NAME`. */
function constantsOf(path: string): Map<string, number> {
  const constants = new Map<string, number>();
  let owner = "";
  const text = Deno.readTextFileSync(new URL(path, ROOT));
  for (
    const [, name, value, field, entry, fieldValue, type] of text.matchAll(
      CONSTANT,
    )
  ) {
    if (type !== undefined) owner = type;
    else if (name !== undefined) {
      constants.set(`${path} ${name}`, evaluate(value));
    } else {constants.set(
        `${path} ${owner}.${field ?? entry}`,
        evaluate(fieldValue),
      );}
  }
  return constants;
}

/** A product or a quotient of numbers. */
function evaluate(expression = ""): number {
  const [first = NaN, ...rest] = expression.split(/[*/]/)
    .map((part) => Number(part.replaceAll(/_|n/g, "")));
  const signs = expression.replaceAll(/[^*/]/g, "");
  return rest.reduce(
    (result, next, i) => signs[i] === "*" ? result * next : result / next,
    first,
  );
}

/** Rows of the tables whose first cell has so many words in code, as those words and the value. */
function rows(words: number): Map<string, number> {
  const found = TEXT.split("\n")
    .map((line) => line.split("|").map((cell) => cell.trim()))
    .map(([, first = "", value = ""]) => ({
      key: [...first.matchAll(/`([^`]+)`/g)].map(([, word]) => word),
      value: Number(value.replaceAll(",", "")),
    }))
    .filter(({ key }) => key.length === words)
    .map(({ key, value }) => [key.join(" "), value] as const);
  assert.equal(new Set(found.map(([key]) => key)).size, found.length);
  return new Map(found);
}

Deno.test("bounds.md: every constant has the value that it has in the code", () => {
  const documented = rows(2);
  assert.ok(documented.size > 70);
  for (const [constant, value] of documented) {
    const [path = ""] = constant.split(" ");
    assert.equal(constantsOf(path).get(constant), value, constant);
  }
});

Deno.test("bounds.md: every bound of the code is there", async () => {
  const documented = rows(2);
  const modules = await readModules(fileURLToPath(ROOT), ["src", "plugins"]);
  const missing = modules
    .flatMap(({ path }) => [...constantsOf(path).keys()])
    .filter((constant) =>
      constant.includes(" BOUNDS.") ||
      BOUND.test(constant.split(/[ .]/).at(-1) ?? "")
    )
    .filter((constant) => !OTHERS.test(constant) && !documented.has(constant));
  assert.deepEqual(missing, []);
});

Deno.test("bounds.md: every key has its default", () => {
  const keys = rows(1);
  assert.ok(keys.size > 10);
  const defaults = new Map(
    Object.entries(TABLES.general.shape)
      .map(([key, field]) => [key, field.safeParse(undefined).data]),
  );
  for (const [path, value] of keys) {
    const key = path.replace(/^general\./, "");
    assert.equal(defaults.get(key), value, path);
  }
});
