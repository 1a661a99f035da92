import assert from "node:assert/strict";
import {
  CYCLE_BYTES,
  CYCLE_STATEMENTS,
  CYCLE_WORDS,
  KIND_COMPLETE,
  KIND_ERROR,
  STATEMENT_KIND,
  STATEMENT_SQLSTATE,
  STATEMENT_TAG,
  STATEMENT_WORDS,
  tagHash,
} from "../../src/record/mod.ts";
import { lastingState } from "../../src/replay/lasting_state.ts";
import { sqlstate } from "../../src/wire/mod.ts";
import { concat, query } from "../support/wire_client.ts";

/** What stays of a transaction. @param script texts with their tags, or SQLSTATEs; neither: they failed. */
function lasting(...script: readonly (readonly [string, string?])[]) {
  const statements = new Uint32Array(script.length * STATEMENT_WORDS);
  script.forEach(([, tag], i) => {
    const at = i * STATEMENT_WORDS;
    statements[at + STATEMENT_KIND] = tag ? KIND_COMPLETE : KIND_ERROR;
    const isCode = tag !== undefined && /^\d/.test(tag);
    if (isCode) statements[at + STATEMENT_KIND] = KIND_ERROR;
    statements[at + STATEMENT_SQLSTATE] = isCode ? sqlstate(tag) : 0;
    statements[at + STATEMENT_TAG] = tag && !isCode ? tagHash(tag) : 0;
  });
  const messages = script.map(([sql]) => query(sql));
  const cycles = new Uint32Array(script.length * CYCLE_WORDS);
  messages.forEach(({ length }, i) => {
    cycles[i * CYCLE_WORDS + CYCLE_BYTES] = length;
    cycles[i * CYCLE_WORDS + CYCLE_STATEMENTS] = 1;
  });
  const { repeat, lost } = lastingState({
    bytes: concat(messages),
    cycles,
    answers: new Uint8Array(0),
    statements,
    size: 0,
    startUs: 0,
    endUs: 0,
    roundTripUs: 0,
    comparison: { mode: "off", bytes: 0 },
  });
  return { keys: repeat.map(({ key }) => key), lost };
}

const BEGIN = ["begin", "BEGIN"] as const;
const SET = ["set a = 1", "SET"] as const;
const COMMIT = ["commit", "COMMIT"] as const;
const ROLLBACK = ["rollback", "ROLLBACK"] as const;

Deno.test("lastingState: a setting stays with a commit and goes with a rollback", () => {
  assert.deepEqual(lasting(SET), { keys: ["set a"], lost: false });
  assert.deepEqual(lasting(["set a = no"]), { keys: [], lost: false });
  assert.deepEqual(lasting(BEGIN, SET, COMMIT), {
    keys: ["set a"],
    lost: false,
  });
  assert.deepEqual(lasting(BEGIN, SET, ROLLBACK), { keys: [], lost: false });
});

Deno.test("lastingState: of a transaction that is rolled back in part no setting is known", () => {
  const lost = { keys: [], lost: true };
  const savepoint = ["savepoint s", "SAVEPOINT"] as const;
  const back = ["rollback to s", "ROLLBACK"] as const;
  assert.deepEqual(lasting(BEGIN, savepoint, SET, back, COMMIT), lost);
  assert.deepEqual(
    lasting(BEGIN, savepoint, ["set a = no"], back, COMMIT),
    lost,
  );
  assert.deepEqual(
    lasting(BEGIN, SET, ["commit and chain", "COMMIT"], ROLLBACK),
    lost,
  );
  assert.deepEqual(
    lasting(BEGIN, SET, ["rollback and chain", "ROLLBACK"], COMMIT),
    lost,
  );
  assert.deepEqual(lasting(BEGIN, savepoint, back, COMMIT), {
    keys: [],
    lost: false,
  });
});

Deno.test("lastingState: a session's lock, a library and a prepared statement outlive a rollback", () => {
  const lock = "select pg_advisory_lock(7)";
  const load = "load 'auto_explain'";
  const prepare = "prepare q as select 1";
  assert.deepEqual(
    lasting(
      BEGIN,
      [lock, "SELECT"],
      [load, "LOAD"],
      [prepare, "PREPARE"],
      ROLLBACK,
    ),
    { keys: [lock, load, "statement q"], lost: false },
  );
});

Deno.test("lastingState: what a failed block has refused was never there", () => {
  const prepare = "prepare q as select 1";
  const failed = ["select 1 / 0", "22012"] as const;
  assert.deepEqual(lasting(BEGIN, failed, [prepare, "25P02"], ROLLBACK), {
    keys: [],
    lost: false,
  });
  assert.deepEqual(lasting(BEGIN, [prepare, "PREPARE"], failed, ROLLBACK), {
    keys: ["statement q"],
    lost: false,
  });
});

Deno.test("lastingState: a statement that fails by itself leaves nothing", () => {
  assert.deepEqual(lasting(["prepare q as select nope", "42703"]), {
    keys: [],
    lost: false,
  });
  const discard = ["discard all", "25001"] as const;
  const set = "set timezone to 'UTC'";
  assert.deepEqual(lasting(BEGIN, [set, "SET"], discard, ROLLBACK), {
    keys: [],
    lost: false,
  });
});
