import { isInstalled, PYTHON } from "../programs.ts";
import { askByOid, sendOwnTypes } from "./by_oid.ts";
import { readAsPrisma } from "./prisma.ts";

/** A program that reads a database's schema. */
export interface IntrospectionTool {
  readonly name: string;
  /** @throws {Error} with its words, if it fails. */
  run(port: number): Promise<void>;
}

interface ToolProgram {
  readonly name: string;
  readonly command: readonly string[];
  /** A command that fails without the tool. */
  readonly check: readonly string[];
}

const FOLDER = new URL(".", import.meta.url).pathname;
const JDBC = "/usr/share/java/postgresql.jar";
const RUBY = "/usr/bin/ruby";
/** Of one run, in milliseconds. */
const TIMEOUT_MS = 60_000;

const PG_DUMP_CHECK = ["pg_dump", "--version"];
const PROGRAMS: readonly ToolProgram[] = [
  {
    name: "psql",
    command: ["psql", "-X", "-f", "psql_commands.sql"],
    check: ["psql", "--version"],
  },
  {
    name: "pg_dump",
    command: ["pg_dump"],
    check: PG_DUMP_CHECK,
  },
  {
    name: "pg_dump of the schema",
    command: ["pg_dump", "--schema-only", "--create", "--clean", "--if-exists"],
    check: PG_DUMP_CHECK,
  },
  {
    name: "pg_dumpall of roles",
    command: ["pg_dumpall", "--globals-only"],
    check: ["pg_dumpall", "--version"],
  },
  {
    name: "Django",
    command: [PYTHON, "django_inspect.py"],
    check: [PYTHON, "-c", "import django, psycopg2"],
  },
  {
    name: "SQLAlchemy",
    command: [PYTHON, "sqlalchemy_reflect.py"],
    check: [PYTHON, "-c", "import sqlalchemy, psycopg2"],
  },
  {
    name: "asyncpg",
    command: [PYTHON, "asyncpg_types.py"],
    check: [PYTHON, "-c", "import asyncpg"],
  },
  {
    name: "Rails",
    command: [RUBY, "active_record.rb"],
    check: [RUBY, "-e", "require 'active_record'; require 'pg'"],
  },
];

/** In this process. */
const LIBRARIES: readonly IntrospectionTool[] = [
  { name: "Prisma", run: readAsPrisma },
  { name: "questions by OID", run: askByOid },
  { name: "parameters of own types", run: sendOwnTypes },
];

/**
 * The tools that are here.
 *
 * @param folder where what must be compiled lies.
 * @throws {Error} under CI if one is not.
 */
export async function introspectionTools(
  folder: string,
): Promise<IntrospectionTool[]> {
  const tools = [...LIBRARIES];
  for (const { name, command, check } of [...PROGRAMS, jdbc(folder)]) {
    if (!await isInstalled(name, check)) continue;
    tools.push({ name, run: (port) => runCommand(command, port) });
  }
  return tools;
}

/** Compiled by its check: once, and not by each run. */
function jdbc(folder: string): ToolProgram {
  return {
    name: "pgjdbc",
    command: [
      "java",
      "-XX:TieredStopAtLevel=1",
      "-cp",
      `${folder}:${JDBC}`,
      "JdbcMetadata",
    ],
    check: [
      "bash",
      "-euc",
      `test -e ${JDBC}; javac -d "$1" "$2"`,
      "bash",
      folder,
      `${FOLDER}JdbcMetadata.java`,
    ],
  };
}

async function runCommand(
  [program = "", ...args]: readonly string[],
  port: number,
): Promise<void> {
  const { code, stderr } = await new Deno.Command(program, {
    args,
    cwd: FOLDER,
    env: {
      PGHOST: "127.0.0.1",
      PGPORT: `${port}`,
      PGUSER: "postgres",
      PGDATABASE: "postgres",
      LC_ALL: "C.UTF-8",
      PYTHONDONTWRITEBYTECODE: "1",
    },
    stdout: "null",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).output();
  if (code !== 0) {
    throw new Error(`${program}: ${new TextDecoder().decode(stderr)}`);
  }
}
