import assert from "node:assert/strict";
import { compareSnapshots } from "../../../src/cli/doctor/compare.ts";
import type { Finding } from "../../../src/cli/doctor/finding.ts";
import type { SetName } from "../../../src/cli/doctor/sets.ts";
import type { Row, Snapshot } from "../../../src/cli/doctor/snapshot.ts";

type Sets = Partial<Record<SetName, readonly Row[]>>;

const SERVER = {
  version: "15.18",
  version_num: "150018",
  started_at: "2026-01-01 00:00:00.000001",
  database_oid: "16384",
  in_recovery: "f",
  subscriptions: "0",
};
const DATABASE = {
  encoding: "UTF8",
  collate: "en_US.UTF-8",
  ctype: "en_US.UTF-8",
  provider: "libc",
  locale: null,
  recorded_version: "2.36",
  actual_version: "2.36",
};

function snapshot(sets: Sets, server: Row = {}, user = "postgres"): Snapshot {
  return {
    user,
    sets: {
      server: [{ ...SERVER, ...server }],
      control: [{ system_identifier: "1" }],
      database: [DATABASE],
      ...sets,
    },
    unread: {},
  };
}

/** Another server than {@linkcode snapshot}'s. */
function mirrorSnapshot(sets: Sets, server: Row = {}): Snapshot {
  return snapshot(
    { control: [{ system_identifier: "2" }], ...sets },
    { started_at: "2026-02-02 00:00:00.000002", ...server },
    "replayer",
  );
}

function compare(
  primary: Snapshot | undefined,
  mirror: Snapshot,
  level: "all" | "read" = "all",
): readonly Finding[] {
  return compareSnapshots(primary, mirror, { level, force: false });
}

function lines(findings: readonly Finding[]): string[] {
  return findings.map(({ severity, rule, object }) =>
    `${severity} ${rule} ${object}`
  );
}

/** Both sides have `before` and `after` in one set. */
function compareSet(set: SetName, before: Row[], after: Row[]): string[] {
  return lines(
    compare(snapshot({ [set]: before }), mirrorSnapshot({ [set]: after })),
  );
}

const PG18 = { version: "18.4", version_num: "180004" };

Deno.test("compareSnapshots: alike is no finding", () => {
  assert.deepEqual(lines(compare(snapshot({}), mirrorSnapshot({}))), []);
});

Deno.test("compareSnapshots: which two connections are one server", () => {
  const cases: [control: string | null, server: Row, expected: string[]][] = [
    ["1", {}, ["error identity mirror"]],
    [null, {}, ["error identity mirror"]],
    ["1", { database_oid: "5" }, ["warning identity mirror"]],
    // A physical replica or a restored copy: another process.
    ["1", { started_at: "2026-02-02 00:00:00.000002" }, [
      "note identity mirror",
    ]],
    ["2", {}, []],
  ];
  for (const [identifier, server, expected] of cases) {
    const mirror = snapshot(
      {
        control: identifier === null ? [] : [{ system_identifier: identifier }],
      },
      server,
    );
    assert.deepEqual(
      lines(compare(snapshot({}), mirror)),
      expected,
      `${identifier} ${JSON.stringify(server)}`,
    );
  }
});

Deno.test("compareSnapshots: without the primary, what the mirror's catalogs tell", () => {
  const mirror = mirrorSnapshot({
    database: [{ ...DATABASE, actual_version: "2.39" }],
    indexes: [{ name: "public.broken", valid: "f" }],
    settings: [{ name: "shared_buffers", value: "1", pending_restart: "t" }],
  }, { in_recovery: "t" });
  assert.deepEqual(lines(compare(undefined, mirror)), [
    'error replica level = "all"',
    "warning pending_restart shared_buffers",
    "error collation_mismatch database",
    "error index_invalid index public.broken",
  ]);
  assert.ok(
    !lines(compare(undefined, mirror, "read")).join().includes("replica"),
  );
});

Deno.test("compareSnapshots: an older mirror is warned of, a newer one noted", () => {
  const old = { version: "14.2", version_num: "140002" };
  const versions = (one: Row, other: Row) =>
    lines(compare(snapshot({}, one), mirrorSnapshot({}, other)));
  assert.deepEqual(versions({}, PG18), ["note version server version"]);
  assert.deepEqual(versions({}, old), ["warning version server version"]);
});

Deno.test("compareSnapshots: settings by what they do", () => {
  const setting = (name: string, value: string, default_value = "") => ({
    name,
    value,
    default_value,
    unit: null,
    pending_restart: "f",
  });
  const before = [
    setting("TimeZone", "Etc/UTC"),
    setting("lc_time", "en_US.utf8"),
    setting("search_path", "a,b"),
    setting("DateStyle", "ISO, MDY"),
    setting("work_mem", "4096", "4096"),
    setting("effective_io_concurrency", "1", "1"),
    setting("enable_seqscan", "on", "on"),
    setting("max_connections", "100"),
    setting("temp_file_limit", "-1"),
    setting("port", "5432"),
    setting("jit", "off", "on"),
  ];
  const after = [
    setting("TimeZone", "UTC"),
    setting("lc_time", "en_US.UTF-8"),
    setting("search_path", "a, b"),
    setting("DateStyle", "ISO, DMY"),
    setting("work_mem", "8192", "4096"),
    setting("effective_io_concurrency", "16", "16"),
    setting("enable_seqscan", "off", "on"),
    setting("max_connections", "200"),
    setting("temp_file_limit", "1000"),
    setting("port", "5433"),
    setting("enable_self_join_elimination", "on", "on"),
    setting("transaction_timeout", "5", "0"),
  ];
  assert.deepEqual(compareSet("settings", before, after), [
    "error setting_results DateStyle",
    "warning setting_plans enable_seqscan",
    "warning setting_capacity temp_file_limit",
    "warning setting_plans work_mem",
    "note setting_default effective_io_concurrency",
    "note setting_one_side jit",
    "note setting_one_side transaction_timeout",
  ]);
});

Deno.test("compareSnapshots: an application's own parameters are not shown", () => {
  const row = (value: string) => ({
    role: "",
    in_database: "t",
    can_login: "f",
    setting: "app.key",
    value,
  });
  const [finding] = compare(
    snapshot({ role_settings: [row("secret one")] }),
    mirrorSnapshot({ role_settings: [row("secret two")] }),
  );
  assert.equal(finding?.rule, "role_setting");
  assert.doesNotMatch(JSON.stringify(finding), /secret/);
});

Deno.test("compareSnapshots: a role's setting that the replays' user has too is no finding", () => {
  const row = (role: string) => ({
    role,
    in_database: "f",
    can_login: "t",
    setting: "search_path",
    value: "x",
  });
  const app = row("app");
  assert.deepEqual(compareSet("role_settings", [app], [app]), [
    "warning role_setting_not_replayed role app: search_path",
  ]);
  assert.deepEqual(
    compareSet("role_settings", [app], [app, row("replayer")]),
    [],
  );
});

Deno.test("compareSnapshots: encoding, locale and the version of its rules", () => {
  const database = (row: Row) =>
    compareSet("database", [DATABASE], [{ ...DATABASE, ...row }]);
  assert.deepEqual(database({ encoding: "LATIN1" }), [
    "error encoding encoding",
  ]);
  assert.deepEqual(database({ collate: "C" }), ["error collate LC_COLLATE"]);
  assert.deepEqual(database({ ctype: "en_US.utf8" }), []);
  assert.deepEqual(database({ provider: "icu", locale: "en" }), [
    "error provider collation provider",
    "error locale locale",
  ]);
  assert.deepEqual(
    database({ recorded_version: "2.39", actual_version: "2.39" }),
    ["warning collation_version database: version of its rules"],
  );
  // Servers before 15 do not tell.
  assert.deepEqual(
    database({ recorded_version: null, actual_version: null }),
    [],
  );
});

Deno.test("compareSnapshots: an extension that could be updated is a warning", () => {
  const extension = (version: string, default_version: string) => ({
    name: "postgis",
    version,
    default_version,
    schema: "public",
  });
  const versions = (one: Row, other: Row) =>
    lines(compare(
      snapshot({ extensions: [one] }),
      mirrorSnapshot({ extensions: [other] }, PG18),
    )).slice(1); // the server's version
  assert.deepEqual(versions(extension("1", "1"), extension("2", "2")), [
    "note extension_version extension postgis",
  ]);
  assert.deepEqual(versions(extension("1", "1"), extension("1.5", "2")), [
    "warning extension_version extension postgis",
  ]);
});

Deno.test("compareSnapshots: a missing table is said once", () => {
  const relation = {
    name: "public.t",
    kind: "table",
    can_read: "t",
    can_write: "t",
  };
  const primary = snapshot({
    relations: [relation],
    columns: [{ name: "public.t.a", relation: "public.t" }],
    indexes: [{ name: "public.i", relation: "public.t", valid: "t" }],
  });
  const mirror = mirrorSnapshot({ relations: [], columns: [], indexes: [] });
  assert.deepEqual(lines(compare(primary, mirror)), [
    "error relations_missing table public.t",
  ]);
});

Deno.test("compareSnapshots: views are compared strictly within a version, loosely across", () => {
  const view = (definition: string) => [{ name: "public.v", definition }];
  const qualified = view(" SELECT o.id\n   FROM orders o\n  WHERE (o.id > 5);");
  const bare = view(" SELECT id\n   FROM orders o\n  WHERE (id > 5);");
  const other = view(" SELECT id\n   FROM orders o\n  WHERE (id > 6);");
  assert.deepEqual(compareSet("views", qualified, bare), [
    "error views_definition view public.v",
  ]);
  const across = (one: Row[], two: Row[]) =>
    lines(compare(
      snapshot({ views: one }),
      mirrorSnapshot({ views: two }, PG18),
    )).slice(1); // the server's version
  assert.deepEqual(across(qualified, bare), []);
  assert.deepEqual(across(qualified, other), [
    "warning views_definition view public.v",
  ]);
});

Deno.test("compareSnapshots: long definitions are shown where they part", () => {
  const long = "a, ".repeat(200);
  const view = (tail: string) => [{ name: "v", definition: `${long}${tail}` }];
  const [finding] = compare(
    snapshot({ views: view("here") }),
    mirrorSnapshot({ views: view("there") }),
  );
  assert.match(finding?.primary ?? "", /^….*a, here$/);
  assert.match(finding?.mirror ?? "", /^….*a, there$/);
});

Deno.test("compareSnapshots: sequences behind, upwards and downwards", () => {
  const sequence = (increment: string, last_value: string | null) => [{
    name: "public.s",
    increment,
    last_value,
    readable: "t",
    can_use: "t",
  }];
  const behind = (increment: string, one: string | null, two: string | null) =>
    compareSet("sequences", sequence(increment, one), sequence(increment, two))
      .length === 1;
  assert.ok(behind("1", "10", "9"));
  assert.ok(behind("1", "10", null));
  assert.ok(!behind("1", "10", "10"));
  assert.ok(!behind("1", "10", "11"));
  assert.ok(!behind("1", null, null));
  assert.ok(behind("-1", "-10", "-9"));
  assert.ok(!behind("-1", "-10", "-11"));
  assert.ok(behind("1", "9223372036854775807", "9223372036854775806"));
});

Deno.test("compareSnapshots: rows by the planner's estimate", () => {
  const table = (estimated_rows: string, analyzed = "t") => [{
    name: "public.t",
    kind: "table",
    has_rows: "t",
    estimated_rows,
    analyzed,
    can_read: "t",
    can_write: "t",
  }];
  const rows = (one: string, two: string, analyzed = "t") =>
    compareSet("relations", table(one), table(two, analyzed));
  assert.deepEqual(rows("5000", "5100"), []);
  assert.deepEqual(rows("10", "100"), []);
  assert.deepEqual(rows("5000", "9000"), ["warning row_count table public.t"]);
  assert.deepEqual(rows("5000", "0"), ["error row_count table public.t"]);
  assert.deepEqual(rows("5000", "-1", "f"), [
    "warning never_analyzed table public.t",
  ]);
  assert.deepEqual(rows("-1", "-1", "f"), [
    "note never_analyzed table public.t",
  ]);
  assert.deepEqual(rows("0", "-1", "f"), []);
  // 18's pg_upgrade brings statistics along, and counts no ANALYZE.
  const upgraded = mirrorSnapshot({
    relations: table("5000", "f"),
    statistics: [{ name: "public.t" }],
  });
  assert.deepEqual(
    lines(compare(snapshot({ relations: table("5000") }), upgraded)),
    [],
  );
});

Deno.test("compareSnapshots: what could not be read is said and not compared", () => {
  const refused = "permission denied (SQLSTATE 42501)";
  const primary = snapshot({ indexes: [{ name: "public.i", valid: "t" }] });
  const mirror: Snapshot = {
    ...mirrorSnapshot({}),
    unread: { indexes: refused, control: refused },
  };
  const findings = compare(primary, mirror);
  assert.deepEqual(lines(findings), [
    "warning unread indexes",
    "note unread control",
  ]);
  assert.equal(findings[0]?.mirror, refused);
});
