import assert from "node:assert/strict";
import { AdminError } from "../../src/admin/admin_error.ts";
import { nearest } from "../../src/admin/nearest.ts";
import { commandKey, splitStatements } from "../../src/admin/statement.ts";

Deno.test("splitStatements: cuts at semicolons outside of quotes and comments", () => {
  const statements = splitStatements(
    `SHOW a;;select 'x;''y', "q;""r" -- c; d
     /* e; /* f; */ */ , 1.5e3, $1;
     reset b `,
  );
  assert.deepEqual(
    statements.map(({ tokens }) => tokens.map(({ text }) => text)),
    [
      ["SHOW", "a"],
      ["select", "x;'y", ",", 'q;"r', ",", "1.5e3", ",", "$1"],
      ["reset", "b"],
    ],
  );
  assert.equal(statements[2]?.text, "reset b");
});

Deno.test("splitStatements: an end that is missing is a syntax error", () => {
  for (const text of ["SHOW 'a", 'SHOW "a', "/* a", "/* /* */"]) {
    assert.throws(() => splitStatements(text), (error) => {
      assert.ok(error instanceof AdminError);
      assert.equal(error.sqlstate, "42601");
      return true;
    });
  }
});

Deno.test("splitStatements: 64 KiB of hostile text is cut within a second", () => {
  const n = 65_536;
  const begin = performance.now();
  for (
    const text of [
      ";".repeat(n),
      "'".repeat(n - 1),
      "''".repeat(n / 2),
      "/*".repeat(n / 2),
      "/**/".repeat(n / 4),
      "-- \n".repeat(n / 4),
      " \n".repeat(n / 2),
      "1.".repeat(n / 2),
      "1e+".repeat(n / 3),
      "a ".repeat(n / 2),
      "$".repeat(n),
    ]
  ) {
    try {
      commandKey(splitStatements(text)[0]?.tokens ?? []);
    } catch (error) {
      assert.ok(error instanceof AdminError);
    }
  }
  assert.ok(performance.now() - begin < 1000);
});

Deno.test("commandKey: folds case, white space, underscores, quotes and comments", () => {
  for (
    const text of [
      "SHOW MIRROR_STATS",
      "show  mirror stats ;",
      "Show\n\tMirror_Stats;",
      "SHOW /* x */ mirror -- y\n stats",
      'SHOW "mirror_stats"',
    ]
  ) {
    const [statement] = splitStatements(text);
    assert.equal(commandKey(statement?.tokens ?? []), "SHOW MIRROR STATS");
  }
});

Deno.test("nearest: finds a slip, and nothing for another word", () => {
  const words = ["SHOW CLIENTS", "SHOW MIRRORS", "SHOW MIRROR STATS"];
  assert.equal(nearest("SHOW CLIENT", words), "SHOW CLIENTS");
  assert.equal(nearest("SHWO MIRORS", words), "SHOW MIRRORS");
  assert.equal(nearest("SHOW MIRROR_STAT", words), "SHOW MIRROR STATS");
  assert.equal(nearest("VACUUM FULL", words), undefined);
  assert.equal(nearest("", words), undefined);
  assert.equal(nearest("x".repeat(60_000), words), undefined);
});
