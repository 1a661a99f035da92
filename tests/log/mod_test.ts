import assert from "node:assert/strict";
import {
  configureLog,
  createLogger,
  type LogFormat,
  type LogLevel,
} from "../../src/log/mod.ts";

function capture(format: LogFormat, level: LogLevel = "debug"): string[] {
  const lines: string[] = [];
  configureLog({ format, level, write: (line) => lines.push(line) });
  return lines;
}

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /;

Deno.test("createLogger: text is one line: time, level, category, message, properties", () => {
  const lines = capture("text");
  createLogger("admin").warn("Login refused", {
    sqlstate: "28P01",
    message: "no such user",
    count: 3,
    big: 2n ** 60n,
    at: new Date(0),
    none: null,
    missing: undefined,
    error: new Error("gone"),
  });
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", ISO);
  assert.equal(
    lines[0]?.replace(ISO, ""),
    'warn admin: Login refused sqlstate=28P01 message="no such user" count=3 ' +
      "big=1152921504606846976 at=1970-01-01T00:00:00.000Z none=null " +
      'missing=undefined error="gone"\n',
  );
});

Deno.test("createLogger: json is one object a line with an ISO time", () => {
  const lines = capture("json");
  createLogger("proxy").error("Primary is gone", { host: "db", port: 5432 });
  assert.equal(lines.length, 1);
  const { "@timestamp": time, ...rest } = JSON.parse(lines[0] ?? "");
  assert.match(`${time} `, ISO);
  assert.deepEqual(rest, {
    level: "ERROR",
    message: "Primary is gone",
    logger: "proxy",
    properties: { host: "db", port: 5432 },
  });
});

Deno.test("configureLog: writes nothing below the level, and a second call replaces the first", () => {
  const log = createLogger("x");
  const first = capture("text", "warn");
  log.debug("1");
  log.info("2");
  log.warn("3");
  log.error("4");
  assert.equal(first.length, 2);
  const second = capture("text", "debug");
  log.debug("5");
  assert.equal(first.length, 2);
  assert.equal(second.length, 1);
});

for (const format of ["text", "json"] as const) {
  Deno.test(`configureLog: secrets do not reach the log as ${format}`, () => {
    const lines = capture(format);
    createLogger("x").info("Config", {
      password: "hush1",
      admin: { userPassword: "hush2", list: [{ api_token: "hush3" }] },
      SECRET: "hush4",
      url: "postgres://me:hush5@host/db",
      user: "kept",
    });
    const text = lines.join("");
    assert.ok(!text.includes("hush"), text);
    assert.ok(text.includes("kept"));
    assert.ok(text.includes("postgres://me:***@host/db"));
  });

  Deno.test(`createLogger: what a client sent cannot forge a record as ${format}`, () => {
    const lines = capture(format);
    createLogger("x").info(
      "A {user} {*} \n2024-01-01T00:00:00.000Z error x: b",
      {
        user: "a\n2024-01-01T00:00:00.000Z error x: c \u001b[31m",
      },
    );
    const text = lines.join("");
    assert.equal(text.split("\n").length, 2, text);
    assert.ok(text.endsWith("\n"));
    assert.ok(text.includes("A {user} {*}"));
    assert.ok(!text.includes("\u001b"));
  });
}
