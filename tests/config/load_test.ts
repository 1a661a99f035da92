import assert from "node:assert/strict";
import {
  ConfigError,
  formatProblem,
  loadConfig,
  parseConfig,
} from "../../src/config/mod.ts";

const MINIMAL = `[[databases]]
name = "shop"
host = "10.0.0.5"
`;
const MIRRORED = `${MINIMAL}
[[databases]]
name = "next"
host = "10.0.0.6"
user = "mirror"
[[mirroring]]
source_db = "shop"
destination_db = "next"
[admin]
password = "pw"
`;

const DATABASE = '[[databases]]\nname = "other"\nhost = "10.0.0.7"';
const USER = '[[users]]\nname = "a"\npassword = "x"';

function problemsOf(text: string, env: Record<string, string> = {}): string[] {
  try {
    parseConfig(text, "f", env);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems.map(formatProblem);
  }
  return [];
}

function warningsOf(text: string, env: Record<string, string> = {}): string[] {
  return parseConfig(text, "f", env).warnings.map(formatProblem);
}

Deno.test("parseConfig: defaults are filled in", () => {
  const { config } = parseConfig(MIRRORED, "f", {});
  assert.equal(config.general.port, 6432);
  assert.equal(config.general.mirror_queue, 10_000);
  assert.equal(config.databases[0]?.port, 5432);
  assert.deepEqual(warningsOf(MIRRORED), []);
});

Deno.test("parseConfig: every problem at once, each with its line", () => {
  const problems = problemsOf(`[general]
prot = 6432
workers = -1
log_level = "loud"

[[databases]]
name = "shop"
`);
  assert.equal(problems.length, 4);
  assert.match(problems[0] ?? "", /^f:3: general\.workers: /);
  assert.match(problems[1] ?? "", /^f:4: general\.log_level: /);
  assert.match(
    problems[2] ?? "",
    /^f:2: general\.prot: unknown key; did you mean "port"\?$/,
  );
  assert.match(problems[3] ?? "", /^f:6: databases\[0\]\.host: is missing/);
});

Deno.test("parseConfig: a rule that would accept every difference, or success, is refused", () => {
  const rule = (...lines: string[]) =>
    problemsOf(
      `${MIRRORED}[[ignore]]\nreason = "known"\n${lines.join("\n")}\n`,
    );
  assert.match(rule().join(), /names no fingerprint, class or sqlstate/);
  assert.match(rule('sqlstate = "00000"').join(), /00000 is success/);
  assert.deepEqual(rule('sqlstate = "42883"'), []);
  assert.deepEqual(rule('class = "rows"'), []);
  assert.deepEqual(rule('fingerprint = "0123456789abcdef"'), []);
});

Deno.test("parseConfig: a rule that would exclude everything, or can't be asked, is refused", () => {
  const rule = (...lines: string[]) =>
    problemsOf(
      `${MIRRORED}[[exclude]]\nreason = "known"\n${lines.join("\n")}\n`,
    );
  assert.match(rule().join(), /names no user, database, application_name/);
  assert.match(rule('pattern = "("').join(), /is no regular expression/);
  assert.match(
    rule('database = "shopp"').join(),
    /exclude\[0\]\.database: "shopp" is not in \[\[databases\]\]/,
  );
  assert.match(rule('fingerprint = "12"').join(), /exclude\[0\]\.fingerprint/);
  assert.match(
    rule('aplication_name = "x"').join(),
    /did you mean "application_name"/,
  );
  for (
    const line of [
      'user = "reporting"',
      'application_name = ""',
      'fingerprint = "0123456789abcdef"',
      'pattern = "\\\\bhttp_post\\\\("',
    ]
  ) assert.deepEqual(rule(line), [], line);
});

Deno.test("parseConfig: allow_unsafe takes names of what is unsafe, and no others", () => {
  const allow = (names: string) =>
    problemsOf(
      MIRRORED.replace("[admin]", `allow_unsafe = ${names}\n[admin]`),
    );
  assert.deepEqual(allow('["pg_switch_wal", "copy_file"]'), []);
  assert.match(
    allow('["copy_file", "pg_switch_wall"]').join(),
    /mirroring\[0\]\.allow_unsafe\[1\]: "pg_switch_wall" is nothing that is left out as unsafe; did you mean "pg_switch_wal"\?/,
  );
});

Deno.test("parseConfig: a syntax error has its line", () => {
  const [problem] = problemsOf(`${MINIMAL}[general\nport = 1`);
  assert.match(problem ?? "", /^f:4: /);
});

Deno.test("parseConfig: a key of PgDog's is a warning, another unknown one an error", () => {
  const text =
    `${MIRRORED}[general]\ndefault_pool_size = 10\n[[sharded_tables]]\nname = "x"\n`;
  assert.deepEqual(problemsOf(text), []);
  const warnings = warningsOf(text);
  assert.equal(warnings.length, 2);
  assert.match(
    warnings.join("\n"),
    /general\.default_pool_size: is a key of PgDog's/,
  );
  assert.deepEqual(
    problemsOf(`constructor = false\n${MINIMAL}`).map((line) =>
      line.replace(/;.*/, "")
    ),
    ["f:1: constructor: unknown key"],
  );
});

Deno.test("parseConfig: the environment overrides [general]", () => {
  const { config, warnings } = parseConfig(MIRRORED, "f", {
    PGDOG_PORT: "7000",
    PGDOG_MIRROR_METRICS_ENABLED: "false",
    PGDOG_OPENMETRICS_NAMESPACE: "n_",
    PGDOG_PROT: "1",
    HOME: "/",
  });
  assert.equal(config.general.port, 7000);
  assert.equal(config.general.mirror_metrics_enabled, false);
  assert.equal(config.general.openmetrics_namespace, "n_");
  assert.deepEqual(warnings.map(formatProblem), [
    'environment: PGDOG_PROT: overrides nothing; did you mean "PGDOG_PORT"?',
  ]);
  assert.match(
    problemsOf(MIRRORED, { PGDOG_PORT: "many" })[0] ?? "",
    /^environment: PGDOG_PORT: /,
  );
});

Deno.test("parseConfig: a password may come from the environment, and is never told", () => {
  const text = MIRRORED.replace('"pw"', '"${ADMIN_PASSWORD}"');
  const { config } = parseConfig(text, "f", { ADMIN_PASSWORD: "s3cret" });
  assert.equal(config.admin.password, "s3cret");
  assert.match(
    problemsOf(text).join(),
    /admin\.password: the environment variable ADMIN_PASSWORD is not set/,
  );
  const wrong = problemsOf(
    MIRRORED.replace('password = "pw"', 'password = "s3cret"\nport = 1'),
  );
  assert.equal(wrong.length, 1);
  assert.ok(!wrong.join().includes("s3cret"));
});

const CROSS_CHECKS: readonly [name: string, text: string, problem: RegExp][] = [
  [
    "a mirror that is not in [[databases]]",
    MIRRORED.replace('destination_db = "next"', 'destination_db = "nxt"'),
    /^f:11: mirroring\[0\]\.destination_db: "nxt" is not in \[\[databases\]\]; did you mean "next"\?$/,
  ],
  [
    "a mirror that is the source",
    MIRRORED.replace('destination_db = "next"', 'destination_db = "shop"'),
    /is the source itself/,
  ],
  [
    "two names for one database",
    MIRRORED.replace("10.0.0.6", "10.0.0.5").replace(
      "user =",
      'database_name = "shop"\nuser =',
    ),
    /the same database: every write would happen twice/,
  ],
  [
    "a mirror without a user",
    MIRRORED.replace('user = "mirror"\n', ""),
    /"next" is a mirror and needs a user/,
  ],
  [
    "a name that is there twice",
    MINIMAL + MINIMAL,
    /^f:5: databases\[1\]\.name: "shop" is there twice$/,
  ],
  [
    "a database named like the console",
    MINIMAL.replace("shop", "admin"),
    /is the admin console's name/,
  ],
  [
    "one port for two listeners",
    `${MINIMAL}[general]\nadmin_port = 6432\n`,
    /^f:5: general\.admin_port: 6432 is the port too$/,
  ],
];

for (const [name, text, problem] of CROSS_CHECKS) {
  Deno.test(`parseConfig: ${name} is a problem`, () => {
    assert.match(problemsOf(text).join("\n"), problem);
  });
}

Deno.test("loadConfig: a missing file, and one that others can read", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/pgdog.toml`;
    await assert.rejects(
      loadConfig({ path, env: {} }),
      /there is no such file/,
    );
    await Deno.writeTextFile(path, MIRRORED, { mode: 0o644 });
    const { warnings } = await loadConfig({ path, env: {} });
    assert.match(
      warnings.map(formatProblem).join(),
      /can be read by others; run: chmod 600/,
    );
    await Deno.chmod(path, 0o600);
    assert.match(
      (await loadConfig({ path, env: {} })).warnings.map(formatProblem)[0] ??
        "",
      /:1: databases\[0\]: "shop" is reached without TLS; set tls_verify/,
    );
    const clear = `${MIRRORED}[general]\ntls_verify = "disabled"\n`;
    await Deno.writeTextFile(path, clear);
    assert.deepEqual((await loadConfig({ path, env: {} })).warnings, []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("parseConfig: http_token is long, may come from the environment, and is never told", () => {
  const text = (value: string) =>
    `${MIRRORED}[general]\nhttp_token = "${value}"\n`;
  const token = "correct-horse-battery";
  assert.equal(
    parseConfig(text(token), "f", {}).config.general.http_token,
    token,
  );
  assert.equal(
    parseConfig(text("${HTTP_TOKEN}"), "f", { HTTP_TOKEN: token }).config
      .general.http_token,
    token,
  );
  assert.equal(
    parseConfig(MIRRORED, "f", { PGDOG_HTTP_TOKEN: "1234567890123456" }).config
      .general.http_token,
    "1234567890123456",
  );
  for (
    const wrong of [
      "too-short-token",
      "with a blank in it",
      "ümlaut-in-a-long-token",
    ]
  ) {
    const problems = problemsOf(text(wrong)).join();
    assert.match(problems, /general\.http_token: must be 16 or more/);
    assert.ok(!problems.includes(wrong));
  }
});

Deno.test("parseConfig: an HTTP port that others reach, or values that are not shown, are warned of without http_token", () => {
  const text = `${MIRRORED}[general]
openmetrics_port = 9090
openmetrics_host = "0.0.0.0"
mirror_examples = "clear"
`;
  const warnings = warningsOf(text);
  assert.equal(warnings.length, 2);
  assert.match(warnings[0] ?? "", /openmetrics_host: everybody/);
  assert.match(warnings[1] ?? "", /mirror_examples: values/);
  assert.deepEqual(
    warningsOf(text + 'http_token = "correct-horse-battery"\n'),
    [],
  );
});

Deno.test("parseConfig: users are checked against auth_type and the databases", () => {
  const users = (general: string, ...entries: string[]) =>
    `[general]\nauth_type = "${general}"\n${MINIMAL}${
      entries.map((entry) => `[[users]]\n${entry}\n`).join("")
    }`;
  assert.deepEqual(problemsOf(users("scram")), [
    'f:2: general.auth_type: "scram" needs [[users]], here or in a file given with --users',
  ]);
  assert.deepEqual(
    problemsOf(
      users(
        "scram",
        'name = "a"\npassword = "md5" # in clear, short',
        'name = "a"\npassword = "x"',
        'name = "b"',
        'name = "c"\ndatabase = "shpo"\npassword = "x"',
        `name = "d"\npassword = "md5${"0".repeat(32)}"\nserver_password = "x"`,
      ),
    ),
    [
      'f:9: users[1]: "a" is there twice',
      "f:12: users[2].password: is missing: nobody could log in",
      'f:16: users[3].database: "shpo" is not in [[databases]]',
      'f:20: users[4].password: is stored for another auth_type than "scram"',
    ],
  );
  assert.deepEqual(problemsOf(users("relay", 'name = "a"')), []);
  assert.deepEqual(
    problemsOf(
      users(
        "relay",
        'name = "a"\nmax_clients = 5',
        'name = "b"\ndatabases = ["shop"]',
        'name = "c"\npassword = "x"',
      ),
    ),
    ["f:11: users[1].databases", "f:14: users[2].password"].map((place) =>
      `${place}: is not obeyed with auth_type = "relay": the primary lets in whom it knows, to all databases; set another auth_type, or take the user out`
    ),
  );
  assert.deepEqual(problemsOf(users("trust", 'name = "a"')), []);
});

Deno.test("parseConfig: a user with several entries has one max_clients", () => {
  const entries = (auth: string, first: string, second: string) =>
    problemsOf(
      `[general]\nauth_type = "${auth}"\n${MINIMAL}[[users]]\nname = "a"\n${first}\n[[users]]\nname = "a"\n${second}\n`,
    );
  const said =
    'users[1].max_clients: is 0, and 5 in another entry of "a": it is the user\'s, over all databases; keep one';
  assert.deepEqual(entries("relay", "max_clients = 5", "max_clients = 0"), [
    `f:11: ${said}`,
  ]);
  const shop = 'database = "shop"';
  assert.deepEqual(
    entries("trust", "max_clients = 5", `${shop}\nmax_clients = 0`),
    [`f:12: ${said}`],
  );
  assert.deepEqual(entries("trust", "max_clients = 5", shop), []);
});

Deno.test("parseConfig: a user's databases are named in one way, exist, and are some", () => {
  const user = (keys: string) =>
    problemsOf(
      `[general]\nauth_type = "scram"\n${MINIMAL}[[users]]\nname = "a"\npassword = "x"\n${keys}\n`,
    );
  assert.deepEqual(user('databases = ["shop"]'), []);
  assert.deepEqual(user("all_databases = true"), []);
  assert.deepEqual(user('databases = ["shop"]\nall_databases = false'), []);
  assert.deepEqual(user('databases = ["shop", "shpo"]'), [
    'f:9: users[0].databases: "shpo" is not in [[databases]]',
  ]);
  assert.deepEqual(user('databases = ["shop", "shop"]'), [
    'f:6: users[0]: "a" is there twice',
  ]);
  assert.match(
    user("databases = []").join(),
    /f:9: users\[0\]\.databases: names no database: nobody could log in/,
  );
  assert.match(
    user('databases = ["shop"]\ndatabase = "shop"').join(),
    /f:9: users\[0\]\.databases: .* keep one/,
  );
  assert.match(
    user('databases = ["shop"]\nall_databases = true').join(),
    /f:10: users\[0\]\.all_databases: .* leave out one/,
  );
  assert.match(
    user("all_databases = false").join(),
    /f:9: users\[0\]\.all_databases: .* nobody could log in/,
  );
});

/** What PgDog keeps somebody or something out by, and a value that keeps nobody out. */
const NARROWING: readonly (readonly [
  table: string,
  narrows: string,
  harmless?: string,
])[] = [
  ["[general]", 'tls_client_ca_certificate = "ca.crt"'],
  [
    "[general]",
    'query_size_limit_action = "block"',
    'query_size_limit_action = "warn"',
  ],
  [DATABASE, "read_only = true", "read_only = false"],
  [DATABASE, "resharding_only = true", "resharding_only = false"],
  [DATABASE, 'role = "replica"', 'role = "primary"'],
  [USER, "read_only = true", "read_only = false"],
  [USER, 'identity = "spiffe://app"'],
  [
    USER,
    "tls_client_certificate_required = true",
    "tls_client_certificate_required = false",
  ],
  [USER, 'passwords = ["x", "y"]'],
  [USER, 'password_hash = "SCRAM-SHA-256$x"'],
  [USER, 'vault_path = "database/static-creds/a"'],
  [USER, 'server_auth = "rds_iam"', 'server_auth = "password"'],
  ["[multi_tenant]", 'column = "tenant_id"'],
];

for (const [table, narrows, harmless] of NARROWING) {
  const [key = ""] = narrows.split(" ");
  const text = (line: string) => {
    const general = table === "[general]" ? line : "";
    const other = table === "[general]" ? "" : `${table}\n${line}\n`;
    return `[general]\nauth_type = "scram"\n${general}\n[[users]]\nname = "b"\npassword = "x"\n${MINIMAL}${other}`;
  };
  Deno.test(`parseConfig: PgDog's ${table.split("\n")[0]} ${narrows} is refused, not ignored`, () => {
    const problems = problemsOf(text(narrows));
    assert.equal(problems.length, 1, problems.join());
    assert.match(problems[0] ?? "", /\(a key of PgDog's\)$/);
    if (table !== "[multi_tenant]") {
      assert.ok(problems[0]?.includes(`.${key}: `));
    }
    if (harmless === undefined) return;
    const warnings = warningsOf(text(harmless)).filter((said) =>
      said.includes(key)
    );
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /does not use$/);
  });
}

Deno.test("parseConfig: what narrows is refused from the environment, too", () => {
  assert.match(
    problemsOf(MIRRORED, { PGDOG_TLS_CLIENT_CA_CERTIFICATE: "ca.crt" }).join(),
    /^environment: PGDOG_TLS_CLIENT_CA_CERTIFICATE: asks clients for certificates/,
  );
  assert.match(
    warningsOf(MIRRORED, { PGDOG_DEFAULT_POOL_SIZE: "5" }).join(),
    /^environment: PGDOG_DEFAULT_POOL_SIZE: is a key of PgDog's/,
  );
});

Deno.test("parseConfig: several hosts of one database are refused", () => {
  assert.deepEqual(
    problemsOf('[[databases]]\nname = "shop"\nhost = "a.test,b.test"\n'),
    [
      "f:3: databases[0].host: names several hosts, and one is meant: take a name whose address follows the server",
    ],
  );
});

Deno.test("loadConfig: users.toml of PgDog's loads beside the configuration", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/pgdog.toml`;
    const usersPath = `${folder}/users.toml`;
    await Deno.writeTextFile(
      path,
      `[general]\nauth_type = "scram"\n${MINIMAL}`,
      { mode: 0o600 },
    );
    const write = (text: string, mode = 0o600) =>
      Deno.writeTextFile(usersPath, text, { mode });
    await write(
      '[[users]]\nname = "a"\ndatabase = "shop"\npassword = "${A}"\npool_size = 5\n',
    );
    const env = { A: "from the environment" };
    const { config, warnings } = await loadConfig({ path, usersPath, env });
    assert.deepEqual(config.users, [
      { name: "a", database: "shop", password: "from the environment" },
    ]);
    assert.deepEqual(
      warnings.map(formatProblem).filter((text) => text.includes("users")),
      [
        `${usersPath}:5: users[0].pool_size: is a key of PgDog's that PgDog Mirror does not use`,
      ],
    );
    await write('[[users]]\nname = "a"\npassword = "x"\nread_only = true\n');
    await assert.rejects(
      loadConfig({ path, usersPath, env }),
      /users\.toml:4: users\[0\]\.read_only: is not kept up here/,
    );
    await write('[[users]]\nname = "a"\npassword = "x"\ndatabase = "shpo"\n');
    await assert.rejects(
      loadConfig({ path, usersPath, env }),
      /users\.toml:4: users\[0\]\.database: "shpo" is not in/,
    );
    await write('[[users]]\nname = "a"\npasword = "x"\n[general]\n');
    await assert.rejects(
      loadConfig({ path, usersPath, env }),
      (error: ConfigError) => {
        assert.match(error.message, /users\.toml.*pasword/s);
        assert.match(error.message, /general/);
        return true;
      },
    );
    // Not named, it is not read: that is said, and who only asks a proxy need not know.
    await assert.rejects(loadConfig({ path, env }), /needs \[\[users\]\]/);
    assert.deepEqual(
      (await loadConfig({ path, env, asking: true })).config.users,
      [],
    );
    await Deno.writeTextFile(path, MINIMAL);
    assert.deepEqual(
      (await loadConfig({ path, env })).warnings.map(formatProblem)
        .filter((text) => text.includes("users.toml")),
      [
        `${usersPath}: lies beside the configuration and is not read; name it with --users ${usersPath}`,
      ],
    );
    await Deno.remove(usersPath);
    await assert.rejects(loadConfig({ path, usersPath, env }), /no such file/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("parseConfig: a secret comes from a file of its own, relative to the configuration", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/secret`, "from a file\n", {
      mode: 0o600,
    });
    const text = (file: string) =>
      `${MINIMAL}[admin]\npassword = "\${file:${file}}"\n`;
    const { config } = parseConfig(text("secret"), `${folder}/x.toml`, {});
    assert.equal(config.admin.password, "from a file");
    assert.throws(
      () => parseConfig(text("missing"), `${folder}/x.toml`, {}),
      /x\.toml:5: admin\.password: ".*missing": there is no such file/,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
