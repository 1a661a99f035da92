import assert from "node:assert/strict";
import { pipe } from "../support/pipe.ts";
import { hasProgram } from "../support/programs.ts";
import { PASSWORD, startConsole, USER } from "./console.ts";

const IGNORE = !hasProgram("psql");

function psql(
  port: number,
  input: string,
  options: { readonly args?: string[]; readonly password?: string } = {},
) {
  return pipe(
    "psql",
    [
      ...["--no-psqlrc", "--host=127.0.0.1", `--port=${port}`],
      ...[`--username=${USER}`, "--dbname=admin"],
      ...(options.args ?? []),
    ],
    input,
    {
      PGPASSWORD: options.password ?? PASSWORD,
      PGCLIENTENCODING: "UTF8",
      LC_ALL: "C.UTF-8",
    },
  );
}

Deno.test({
  name: "psql: shows commands as tables, without a warning of its own",
  ignore: IGNORE,
  async fn() {
    const { server } = startConsole();
    const { code, stdout, stderr } = await psql(
      server.port,
      "show version;\nSHOW CLIENTS;\nSHOW sample_rows;\n",
      { args: ["--csv"] },
    );
    await server.close();
    assert.equal(stderr, "");
    assert.equal(code, 0);
    assert.equal(
      stdout,
      [
        "version",
        "PgDog Mirror 0.1.0",
        "id,database,user,addr,port,state,application_name,connect_time,requests,worker,server_pid",
        "7,shop,web,10.0.0.9,40000,idle in transaction,checkout,2024-05-06 07:08:09.123+00,12,1,4711",
        "t,i,f,b,z",
        '"a, é, 😀",9007199254740993,0.5,t,2024-05-06 07:08:09.123+00',
        ",-1,-1e+300,f,1969-12-31 23:59:59.999+00",
        ",,,,",
        "",
      ].join("\n"),
    );
  },
});

Deno.test({
  name:
    "psql: an unknown command shows the nearest and the hint, and psql goes on",
  ignore: IGNORE,
  async fn() {
    const { server } = startConsole();
    const { code, stdout, stderr } = await psql(
      server.port,
      "SHOW CLIENTZ;\n\\dt\n\\d orders\n\\conninfo\nSELECT 1;\n",
      { args: ["--tuples-only", "--no-align"] },
    );
    await server.close();
    assert.equal(code, 0);
    assert.match(
      stderr,
      /unknown command "SHOW CLIENTZ", the nearest is SHOW CLIENTS\nHINT: {2}SHOW HELP lists the commands\./,
    );
    assert.match(stdout, /connected to database "admin" as user "admin"/);
    assert.equal(stdout.trimEnd().split("\n").at(-1), "1");
  },
});

Deno.test({
  name: "psql: a wrong password is told as PostgreSQL tells it",
  ignore: IGNORE,
  async fn() {
    const { server } = startConsole();
    const { code, stderr } = await psql(server.port, "", { password: "wrong" });
    await server.close();
    assert.equal(code, 2);
    assert.match(
      stderr,
      /FATAL: {2}password authentication failed for user "admin"/,
    );
  },
});
