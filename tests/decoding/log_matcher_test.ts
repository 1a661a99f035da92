import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { Catalog } from "../../src/catalog/mod.ts";
import {
  LogMatcher,
  outcomeOf,
  type Trace,
  traceOf,
} from "../../src/decoding/mod.ts";
import type { DecodedChange } from "../../src/decoding/test_decoding.ts";
import { cycleCount, type Transaction } from "../../src/record/mod.ts";
import { planTransaction } from "../../src/replay/plan.ts";
import { SessionStatements } from "../../src/replay/session_statements.ts";
import { ShapeCache } from "../../src/sql/shape_cache.ts";
import { TappedSession } from "../support/tapped_session.ts";
import {
  concat,
  int16,
  int32,
  message,
  query,
} from "../support/wire_client.ts";

await loadModule();

const INT = 23;
const TIME = 1184;
/**
 * orders (id serial, who int, note text, at default now()), whose trigger writes
 * audit; items (id serial, n int). The desks of a shop go with it, and so does
 * each desk's place: both ways in which a foreign key acts.
 */
const CATALOG = new Catalog([
  ["type", "23", "int4", "0"],
  ["type", "25", "text", "0"],
  ["type", "1184", "timestamptz", "0"],
  ...["orders", "items", "audit", "other", "shops", "desks", "drawers"]
    .flatMap((name, i) => [["relation", name, String(i + 1), "public"]]),
  ...[["desks", "shops"], ["drawers", "desks"], ["desks", "desks"]]
    .flatMap((pair) => [["cascade", ...pair], ["cascade", ...pair, "id"]]),
  [
    "columns",
    "1",
    JSON.stringify([
      [1, "id", INT, "w", "nextval('o'::regclass)"],
      [2, "who", INT, "", null],
      [3, "note", 25, "", null],
      [4, "at", TIME, "w", "now()"],
    ]),
  ],
  [
    "columns",
    "2",
    JSON.stringify([
      [1, "id", INT, "w", "nextval('i'::regclass)"],
      [2, "n", INT, "", null],
    ]),
  ],
  [
    "trigger",
    "orders",
    "begin insert into audit values (1); return null; end",
    "9",
  ],
  ["function", "writes", "begin insert into other values (1); end", "10"],
  ["volatile", "writes", "plpgsql"],
]);

type Answered = readonly [sql: string, tag: string, ...rows: string[]];

/** A transaction of simple queries with their command tags; of an error the SQLSTATE. */
function transactionOf(...statements: readonly Answered[]): Transaction {
  const session = new TappedSession(new ShapeCache(100));
  statements.forEach(([sql, tag, ...rows], i) => {
    session.client(query(sql));
    const isOver = i === statements.length - 1;
    const answer = /^\d/.test(tag)
      ? message("E", `SERROR\0C${tag}\0Mx\0\0`)
      : concat([
        ...rows.map((row) =>
          message(
            "D",
            int16(1),
            int32(row.length),
            new TextEncoder().encode(row),
          )
        ),
        message("C", `${tag}\0`),
      ]);
    session.server(concat([answer, message("Z", isOver ? "I" : "T")]));
  });
  const [transaction] = session.transactions;
  assert.ok(transaction);
  assert.equal(cycleCount(transaction), statements.length);
  return transaction;
}

/** What it must have left in the log; it committed between 1.000 and 1.010 seconds. */
function trace(...statements: readonly Answered[]): Trace | undefined {
  const transaction = transactionOf(...statements);
  const plan = planTransaction(
    transaction,
    new SessionStatements(new ShapeCache(100)),
  );
  const found = traceOf({ ...plan, transaction, earliestUs: 0 }, CATALOG);
  return found &&
    { ...found, startUs: 900_000, earliestUs: 1_000_000, endUs: 1_010_000 };
}

function change(
  table: string,
  text: string,
  kind: DecodedChange["kind"] = "insert",
): DecodedChange {
  return { kind, relation: `public\0${table}`, text: ` ${text}` };
}

const order = (id: number, who: number, note = "null") =>
  change(
    "orders",
    `id[integer]:${id} who[integer]:${who} note[text]:${note} at[timestamp with time zone]:'2026-01-01 00:00:00.${id}+00'`,
  );

const INSERT = "insert into orders (who) values (7)";

/** A matcher that reads the log. */
function matcherOf(): LogMatcher {
  const matcher = new LogMatcher(() => CATALOG);
  matcher.begin(0);
  return matcher;
}

function log(
  matcher: LogMatcher,
  changes: readonly DecodedChange[],
  atUs = 1_005_000,
  size = 0,
): void {
  matcher.add(
    { committed: { fromUs: atUs, toUs: atUs }, changes, size },
    1_012_000,
  );
}

/** What a transaction is told: of each statement the ids, or how it stands. */
class Client {
  missed = 0;
  readonly #trace: Trace;
  readonly #claim;

  constructor(matcher: LogMatcher, ...statements: readonly Answered[]) {
    const found = trace(...statements);
    assert.ok(found, "it must leave something in the log");
    this.#trace = found;
    const made = () => [new Map([["id", "made"]])];
    this.#claim = matcher.claim(
      found,
      1_011_000,
      made,
      () => this.missed++,
    );
  }

  /** The ids of a statement of the block. */
  ids(cycle: number): unknown {
    return this.#claim.rows(cycle, 0)?.map((row) => row?.get("id"));
  }

  /** It is replayed. */
  release(): void {
    this.#claim.release();
  }

  get told(): unknown {
    if (this.#claim.isWaiting) return "waiting";
    if (this.missed > 0) return "missed";
    return this.#trace.writes.map(({ cycle, result }) =>
      this.#claim.rows(cycle, result)?.map((row) => row?.get("id"))
    );
  }
}

/** All that was committed is here; before and after the others' records have come in. */
const EARLY = [1_012_000, 1_013_000] as const;
const LATE = [1_030_000, 1_031_000] as const;

Deno.test("LogMatcher: the only one with the client's values is taken at once", () => {
  const matcher = matcherOf();
  log(matcher, [order(1, 8)]);
  log(matcher, [order(2, 7)]);
  const client = new Client(matcher, [INSERT, "INSERT 0 1"]);
  let settled = 0;
  matcher.polled(1_009_000, 1_013_000);
  assert.equal(client.told, "waiting", "not all that was committed is here");
  matcher.polled(...EARLY);
  assert.deepEqual(client.told, [["2"]]);
  assert.equal(settled++, 0);
});

Deno.test("LogMatcher: of those that are alike each is taken once, the first first, when all records are in", () => {
  const matcher = matcherOf();
  log(matcher, [order(2, 7)]);
  log(matcher, [order(1, 7)]);
  const one = new Client(matcher, [INSERT, "INSERT 0 1"]);
  matcher.polled(...EARLY);
  assert.equal(one.told, "waiting");
  const other = new Client(matcher, [INSERT, "INSERT 0 1"]);
  matcher.polled(...LATE);
  assert.deepEqual([one.told, other.told], [[["2"]], [["1"]]]);
});

Deno.test("LogMatcher: whom RETURNING told an id takes its own, also of those that are alike", () => {
  const matcher = matcherOf();
  log(matcher, [order(2, 7)]);
  log(matcher, [order(1, 7)]);
  const untold = new Client(matcher, [INSERT, "INSERT 0 1"]);
  const told = new Client(matcher, [
    `${INSERT} returning id`,
    "INSERT 0 1",
    "2",
  ]);
  matcher.polled(...EARLY);
  assert.deepEqual([untold.told, told.told], [[["1"]], [["2"]]]);
});

Deno.test("LogMatcher: of those that differ in what the client may have given none is taken", () => {
  const matcher = matcherOf();
  log(matcher, [order(1, 7, "'a'")]);
  log(matcher, [order(2, 7, "'b'")]);
  const client = new Client(matcher, [
    "insert into orders (who, note) values (7, lower('A'))",
    "INSERT 0 1",
  ]);
  matcher.polled(...EARLY);
  assert.equal(client.told, "waiting");
  matcher.polled(...LATE);
  assert.equal(client.told, "missed");
});

/** Of each what the log has, and that it is not the client's. */
const CONTRADICTIONS: readonly (readonly [
  name: string,
  changes: readonly DecodedChange[],
  atUs?: number,
])[] = [
  ["another value", [order(1, 8)]],
  ["more rows", [order(1, 7), order(2, 7)]],
  ["another relation", [change("items", "id[integer]:1 n[integer]:7")]],
  ["no row of it", [change("audit", "id[integer]:1")]],
  ["a relation more, which nothing of it writes", [
    order(1, 7),
    change("other", "id[integer]:1"),
  ]],
  ["a relation that the mirror has not", [
    order(1, 7),
    change("gone", "a[text]:'1'"),
  ]],
  ["another kind of write", [{ ...order(1, 7), kind: "update" }]],
  ["a commit before it was sent", [order(1, 7)], 990_000],
  ["a commit behind its answer", [order(1, 7)], 1_020_000],
];

for (const [name, changes, atUs] of CONTRADICTIONS) {
  Deno.test(`LogMatcher: a transaction of the log with ${name} is not taken`, () => {
    const matcher = matcherOf();
    log(matcher, changes, atUs);
    const client = new Client(matcher, [INSERT, "INSERT 0 1"]);
    matcher.polled(...LATE);
    assert.equal(client.told, "waiting");
    // A look that began 200 ms behind the record.
    matcher.polled(1_212_000, 1_213_000);
    assert.equal(client.told, "missed");
  });
}

Deno.test("LogMatcher: statements of a block have their rows in their order, triggers' aside", () => {
  const matcher = matcherOf();
  const item = (id: number, n: number) =>
    change("items", `id[integer]:${id} n[integer]:${n}`);
  log(matcher, [
    order(1, 7),
    change("audit", "id[integer]:1"),
    item(5, 1),
    item(6, 2),
    order(2, 9),
    item(7, 1),
  ]);
  const client = new Client(
    matcher,
    ["begin", "BEGIN"],
    [INSERT, "INSERT 0 1"],
    ["insert into items (n) values (1), (2)", "INSERT 0 2"],
    ["insert into orders (who) values (9)", "INSERT 0 1"],
    ["insert into items (n) select 1", "INSERT 0 1"],
    ["select 1", "SELECT 1"],
    ["commit", "COMMIT"],
  );
  matcher.polled(...EARLY);
  assert.deepEqual(client.told, [["1"], ["5", "6"], ["2"], ["7"]]);
});

const SHOP: Answered = ["insert into shops (n) values (1)", "INSERT 0 1"];
const DESK: Answered = ["insert into desks (n) values (7)", "INSERT 0 1"];
const rowOf = (table: string, kind: DecodedChange["kind"]) =>
  change(table, "id[integer]:3 n[integer]:7", kind);
const SHOP_ROW = rowOf("shops", "insert");
const DESK_ROW = rowOf("desks", "insert");

/** What a block writes, and whether each row of the log is known to be a statement's. */
const CASCADES: readonly (readonly [
  statements: readonly Answered[],
  changes: readonly DecodedChange[],
  areKnown: boolean,
])[] = [
  [[SHOP, DESK], [SHOP_ROW, DESK_ROW], true],
  [
    [["update shops set n = 2 where n = 1", "UPDATE 1"], DESK],
    [rowOf("shops", "update"), DESK_ROW],
    true,
  ],
  [
    [["update shops set id = 2 where n = 1", "UPDATE 1"], DESK],
    [rowOf("shops", "update"), DESK_ROW],
    false,
  ],
  // Which columns it sets is not known.
  [
    [[
      "insert into shops (n) values (1) on conflict (n) do update set id = 2",
      "INSERT 0 1",
    ], DESK],
    [rowOf("shops", "update"), DESK_ROW],
    false,
  ],
  [
    [["delete from shops where n = 1", "DELETE 1"], DESK],
    [rowOf("shops", "delete"), DESK_ROW, rowOf("desks", "delete")],
    false,
  ],
  // By way of the desks, which no statement names.
  [
    [["delete from shops where n = 1", "DELETE 1"], [
      "insert into drawers (n) values (7)",
      "INSERT 0 1",
    ]],
    [rowOf("shops", "delete"), rowOf("drawers", "insert")],
    false,
  ],
  // A desk at a desk goes with it.
  [[DESK, DESK], [DESK_ROW, DESK_ROW], true],
  [
    [DESK, ["delete from desks where n = 1", "DELETE 1"]],
    [DESK_ROW, rowOf("desks", "delete")],
    false,
  ],
  [
    [DESK, ["update desks set n = 2 where n = 1", "UPDATE 1"]],
    [DESK_ROW, rowOf("desks", "update")],
    true,
  ],
];

for (const [statements, changes, areKnown] of CASCADES) {
  const texts = statements.map(([text]) => text).join("; ");
  Deno.test(`LogMatcher: a foreign key ${areKnown ? "writes nothing" : "may write rows"} where a block is ${texts}`, () => {
    const matcher = matcherOf();
    log(matcher, changes);
    const client = new Client(
      matcher,
      ["begin", "BEGIN"],
      ...statements,
      ["commit", "COMMIT"],
    );
    matcher.polled(...EARLY);
    const { told } = client;
    assert.ok(Array.isArray(told), String(told));
    assert.deepEqual(told.every((ids) => ids !== undefined), areKnown);
  });
}

const LEFT: readonly (readonly [
  what: string,
  statement: Answered,
  changes: readonly DecodedChange[],
  told: unknown,
])[] = [
  [
    "known by their values",
    [
      "insert into orders (who) values (5), (7), (8), (7), (9) on conflict do nothing",
      "INSERT 0 2",
    ],
    [order(2, 5), order(4, 8)],
    [["2", undefined, "4", undefined, undefined]],
  ],
  [
    "known by their order",
    [
      "insert into orders (who) values (5), (7), (5), (8) on conflict do nothing",
      "INSERT 0 2",
    ],
    [order(3, 7), order(4, 5)],
    [[undefined, "3", "4", undefined]],
  ],
  [
    "one or another",
    [
      "insert into orders (who) values (5), (7), (5) on conflict do nothing",
      "INSERT 0 1",
    ],
    [order(4, 5)],
    [["4"]],
  ],
  [
    "not there",
    [
      "insert into orders (who) values (5), (7), (8) on conflict do nothing",
      "INSERT 0 1",
    ],
    [order(4, 9)],
    "waiting",
  ],
  [
    "in another order",
    [
      "insert into orders (who) values (5), (7), (8) on conflict do nothing",
      "INSERT 0 2",
    ],
    [order(3, 7), order(4, 5)],
    "waiting",
  ],
];

for (const [what, statement, changes, told] of LEFT) {
  Deno.test(`LogMatcher: rows of VALUES that were written are ${what}`, () => {
    const matcher = matcherOf();
    log(matcher, changes);
    const client = new Client(matcher, statement);
    matcher.polled(...EARLY);
    assert.deepEqual(client.told, told);
  });
}

Deno.test("LogMatcher: of those that left out other rows of VALUES none is taken", () => {
  const matcher = matcherOf();
  log(matcher, [order(1, 5)]);
  log(matcher, [order(2, 7)]);
  const client = new Client(matcher, [
    "insert into orders (who) values (5), (7) on conflict do nothing",
    "INSERT 0 1",
  ]);
  matcher.polled(...LATE);
  assert.equal(client.told, "missed");
});

Deno.test("LogMatcher: what nobody has taken is forgotten 5 seconds after the log told it, not before all have looked", () => {
  const matcher = matcherOf();
  log(matcher, [order(1, 7)]);
  const late = new Client(matcher, [INSERT, "INSERT 0 1"]);
  matcher.polled(1_100_000, 9_000_000);
  assert.deepEqual(late.told, [["1"]]);
  log(matcher, [order(2, 7)]);
  matcher.polled(1_100_000, 6_000_000);
  matcher.polled(1_100_000, 6_100_000);
  const later = new Client(matcher, [INSERT, "INSERT 0 1"]);
  matcher.polled(1_100_000, 6_200_000);
  assert.equal(later.told, "waiting");
});

Deno.test("LogMatcher: what a savepoint takes back is not in the log", () => {
  const matcher = matcherOf();
  log(matcher, [order(1, 7), order(4, 7), order(6, 7)]);
  const client = new Client(
    matcher,
    ["begin", "BEGIN"],
    [INSERT, "INSERT 0 1"],
    ['savepoint "A"', "SAVEPOINT"],
    [INSERT, "INSERT 0 1"],
    ["savepoint b", "SAVEPOINT"],
    [INSERT, "23505"],
    ["rollback work to savepoint B", "ROLLBACK"],
    ["release b", "RELEASE"],
    ['rollback to "A"', "ROLLBACK"],
    [INSERT, "INSERT 0 1"],
    ["savepoint b", "SAVEPOINT"],
    [INSERT, "INSERT 0 1"],
    ["release savepoint b", "RELEASE"],
    ["commit", "COMMIT"],
  );
  matcher.polled(...EARLY);
  assert.deepEqual(client.told, [["1"], ["4"], ["6"]]);
  assert.deepEqual([client.ids(3), client.ids(5)], [["made"], ["made"]]);
});

Deno.test("LogMatcher: nobody waits for a look that does not end, or for a log that is not read", () => {
  const matcher = matcherOf();
  const client = new Client(matcher, [INSERT, "INSERT 0 1"]);
  for (let i = 0; i < 19; i++) matcher.looking();
  assert.equal(client.told, "waiting");
  matcher.looking();
  assert.equal(client.told, "missed");
  const next = new Client(matcher, [INSERT, "INSERT 0 1"]);
  matcher.end(1_012_000, () => {});
  assert.equal(next.told, "missed");
  // It began before the log was read.
  matcher.begin(950_000_000);
  assert.equal(new Client(matcher, [INSERT, "INSERT 0 1"]).told, "missed");
});

Deno.test("traceOf: what its statements do not tell, and what leaves nothing", () => {
  const untold: readonly (readonly Answered[])[] = [
    [["select 1", "SELECT 1"]],
    [["update orders set who = 1 where who = 2", "UPDATE 0"]],
    [["create table t ()", "CREATE TABLE"]],
    [["select writes()", "SELECT 1"]],
    [[
      "with x as (delete from items returning n) insert into orders (who) select n from x",
      "INSERT 0 1",
    ]],
    [["truncate items", "TRUNCATE TABLE"]],
    [["do 'begin end'", "DO"]],
    [["insert into nowhere (a) values (1)", "INSERT 0 1"]],
  ];
  for (const statements of untold) {
    assert.equal(trace(...statements), undefined, `${statements[0]?.[0]}`);
  }
});

Deno.test("outcomeOf: whether all, nothing or some of it was kept", () => {
  const begin: Answered = ["begin", "BEGIN"];
  const insert: Answered = [INSERT, "INSERT 0 1"];
  const outcome = (...statements: readonly Answered[]) =>
    outcomeOf(transactionOf(...statements));
  assert.equal(outcome(insert), "committed");
  assert.equal(outcome([INSERT, "23505"]), "rolled back");
  assert.equal(outcome(begin, insert, ["commit", "COMMIT"]), "committed");
  assert.equal(outcome(begin, insert, ["rollback", "ROLLBACK"]), "rolled back");
  // It had failed.
  assert.equal(
    outcome(begin, [INSERT, "23505"], ["commit", "ROLLBACK"]),
    "rolled back",
  );
  // A deferred constraint.
  assert.equal(outcome(begin, insert, ["commit", "23503"]), "rolled back");
  assert.equal(
    outcome(
      begin,
      ["savepoint a", "SAVEPOINT"],
      insert,
      ["rollback to a", "ROLLBACK"],
      ["commit", "COMMIT"],
    ),
    "committed",
  );
});

Deno.test("LogMatcher: what waits to be replayed has a bound, and gives its room back", () => {
  const matcher = matcherOf();
  const find = (who: number) => {
    log(matcher, [order(who, who)], undefined, 6 * 1024 * 1024);
    const client = new Client(matcher, [
      `insert into orders (who) values (${who})`,
      "INSERT 0 1",
    ]);
    matcher.polled(...LATE);
    return client;
  };
  const clients = [1, 2, 3].map(find);
  assert.deepEqual(clients.map(({ told }) => told), [
    [["1"]],
    [["2"]],
    "missed",
  ]);
  for (const client of clients) client.release();
  clients[0]?.release();
  assert.deepEqual([4, 5, 6].map((who) => find(who).told), [
    [["4"]],
    [["5"]],
    "missed",
  ]);
});

Deno.test("LogMatcher: a transaction that is given up while it waits takes its own, and no room", () => {
  const matcher = matcherOf();
  const gone = new Client(matcher, [INSERT, "INSERT 0 1"]);
  gone.release();
  log(matcher, [order(1, 7)], undefined, 12 * 1024 * 1024);
  matcher.polled(...LATE);
  log(matcher, [order(2, 7)], undefined, 12 * 1024 * 1024);
  const other = new Client(matcher, [INSERT, "INSERT 0 1"]);
  matcher.polled(...LATE);
  assert.deepEqual(other.told, [["2"]]);
});

Deno.test("LogMatcher: who waits when the log ends gets numbers that no other row has, and so does who began until a minute later", () => {
  const matcher = matcherOf();
  const client = new Client(matcher, [INSERT, "INSERT 0 1"]);
  let over = 0;
  matcher.end(1_012_000, () => over++);
  assert.deepEqual(client.ids(0), ["made"]);
  assert.ok(matcher.tells(61_011_999));
  assert.ok(!matcher.tells(61_012_000));
});

Deno.test("LogMatcher: the end of the log is over once one has come in that began a minute later, and all before it are replayed", () => {
  const matcher = matcherOf();
  const found = new Client(matcher, [INSERT, "INSERT 0 1"]);
  log(matcher, [order(1, 7)]);
  matcher.polled(...EARLY);
  const waits = new Client(matcher, [INSERT, "INSERT 0 1"]);
  let over = 0;
  matcher.end(1_012_000, () => over++);
  const late = matcher.untold(() => [new Map([["id", "made"]])]);
  waits.release();
  matcher.reached(61_011_999);
  matcher.reached(61_012_000);
  assert.ok(!matcher.tells(1_000_000), "an earlier one that comes late");
  assert.deepEqual(found.told, [["1"]]);
  found.release();
  assert.equal(over, 0);
  late.release();
  late.release();
  assert.equal(over, 1);
  matcher.reached(62_000_000);
  assert.equal(over, 1);
});

Deno.test("LogMatcher: who is not found gets numbers that no other row has", () => {
  const matcher = matcherOf();
  const client = new Client(matcher, [INSERT, "INSERT 0 1"]);
  assert.equal(client.told, "waiting");
  matcher.polled(1_300_000, 1_301_000);
  assert.equal(client.told, "missed");
  assert.deepEqual(client.ids(0), ["made"]);
});

Deno.test("LogMatcher: the end of a log that is read again is no end", () => {
  const matcher = matcherOf();
  matcher.end(1_012_000, () => assert.fail());
  matcher.begin(0);
  assert.ok(matcher.tells(61_012_000));
  matcher.reached(61_012_000);
});
