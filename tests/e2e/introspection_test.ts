import assert from "node:assert/strict";
import {
  type Finding,
  Introspection,
} from "../support/introspection/findings.ts";
import {
  type IntrospectionTool,
  introspectionTools,
} from "../support/introspection/tools.ts";
import {
  canRestore,
  startPrimary,
  startRestored,
  startTwin,
} from "../support/introspection/twins.ts";
import { atOnce, STEPS_AT_ONCE } from "../support/at_once.ts";
import type { Cluster } from "../support/cluster.ts";
import { run } from "../support/judged.ts";

/** A result that some statements have. */
interface Expected {
  readonly result: string;
  readonly text: RegExp;
}

interface Twin {
  readonly name: string;
  start(primary: Cluster): Promise<Cluster>;
  readonly ignore: boolean;
  /** What the mirror refuses rightly. */
  readonly refused: readonly Expected[];
  /** What the judge sees and should not: take away what is right. */
  readonly today: readonly Expected[];
}

/** Programs of version 15 ask for columns that 18 has under another name. */
const REFUSED: readonly Expected[] = [
  {
    result: "mismatch_error_on_mirror",
    text: /\b(daticulocale|colliculocale)\b/,
  },
];

const TODAY: readonly Expected[] = [
  // Parse names the primary's OIDs of types.
  {
    result: "mismatch_error_on_mirror",
    text:
      /^(select \$1, \$2, \$3$|select \* from app.orders where state = |update app.customer set lives = \$1)/,
  },
];

const TWINS: readonly Twin[] = [
  {
    name: "with the same OIDs",
    start: startPrimary,
    ignore: false,
    refused: [],
    today: [],
  },
  {
    name: "of version 15",
    start: () => startTwin("15"),
    ignore: false,
    refused: [],
    today: TODAY,
  },
  {
    name: "of version 15, restored from a dump",
    start: startRestored,
    ignore: !canRestore(),
    refused: [],
    today: TODAY,
  },
  {
    name: "of version 18",
    start: () => startTwin("18"),
    ignore: false,
    refused: REFUSED,
    today: TODAY,
  },
];

function isExpected(all: readonly Expected[], found: Finding): boolean {
  return all.some(({ result, text }) =>
    result === found.result && text.test(found.text)
  );
}

/** Each has servers of its own, and waits for its programs. */
const TWINS_AT_ONCE = 2;

Deno.test({
  name: "introspection: tools that read a schema find no mismatch on a twin",
  ...STEPS_AT_ONCE,
  async fn(t) {
    const folder = await Deno.makeTempDir();
    const tools = await introspectionTools(folder);
    await atOnce(TWINS_AT_ONCE, TWINS, async (twin) => {
      const { name, ignore } = twin;
      await t.step({ name, ignore, fn: (t) => findNothing(t, tools, twin) });
    });
    await Deno.remove(folder, { recursive: true });
  },
});

async function findNothing(
  t: Deno.TestContext,
  tools: readonly IntrospectionTool[],
  { start, refused, today }: Twin,
): Promise<void> {
  const known = [...refused, ...today];
  await using primary = await startPrimary();
  await using twin = await start(primary);
  await using seen = await Introspection.start(primary, twin);
  const all: Finding[] = [];
  for (const tool of tools) {
    await t.step(tool.name, async () => {
      const { counts, mismatches } = await seen.findingsOf(tool);
      all.push(...mismatches);
      assert.deepEqual(
        mismatches.filter((found) => !isExpected(known, found)),
        [],
      );
      const hasFailed = mismatches.some(({ result }) =>
        result === "mismatch_error_on_mirror"
      );
      const skipped = Object.keys(counts).filter((result) =>
        result.startsWith("skipped_") &&
        !(hasFailed && result === "skipped_cascade") &&
        // All of pg_description is more than the bound.
        !(/^pg_dump/.test(tool.name) && result === "skipped_too_large")
      );
      assert.deepEqual(skipped, [], JSON.stringify(counts));
    });
  }
  await t.step("what is known to differ still does", () => {
    const gone = known.filter((one) =>
      !all.some((found) => isExpected([one], found))
    );
    assert.deepEqual(gone, []);
  });
  await t.step("a wrong row is found in what pg_dump copies", async () => {
    const dump = tools.find((tool) => tool.name === "pg_dump");
    if (dump === undefined) return;
    await run(twin, "update app.customer set name = 'X' where id = 7");
    const { mismatches } = await seen.findingsOf(dump);
    const found = mismatches.filter((one) => !isExpected(known, one));
    assert.deepEqual(
      found.map(({ result, text }) => [result, text.split(" ")[0]]),
      [["mismatch_rows", "COPY"]],
    );
  });
}
