import postgres from "postgres";
import type { CorpusCase } from "./corpus.ts";
import { playCase } from "./corpus_client.ts";
import { type Judgement, judgementOf } from "./corpus_judgement.ts";
import type { Whereabouts } from "./corpus_locale.ts";
import { summaryOf } from "./corpus_answer.ts";
import { TestProxy } from "./proxy.ts";
import { waitFor } from "./wait.ts";

/** Cases that are under way at once. */
const AT_ONCE = 4;
const DEADLINE_MS = 30_000;

export interface CorpusServers {
  readonly primary: Whereabouts;
  /** By version. */
  readonly mirrors: Readonly<Record<"15" | "18", Whereabouts>>;
}

/** Empties a database and makes two collations in it, for DROP DATABASE and CREATE DATABASE take ten times as long. */
const EMPTY = `do $$
declare schema text;
begin
  for schema in select nspname from pg_namespace
    where nspname !~ '^pg_' and nspname <> 'information_schema' loop
    execute format('drop schema %I cascade', schema);
  end loop;
end $$;
create schema public authorization pg_database_owner;
grant usage on schema public to public;
create collation public.en (provider = libc, locale = 'en_US.UTF-8');
create collation public.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`;

/** Makes the databases that batches are played in. */
export async function createRooms(
  { primary, mirrors }: CorpusServers,
  count: number,
): Promise<void> {
  const clusters = [primary, ...Object.values(mirrors)];
  await Promise.all(clusters.map(async (cluster) => {
    for (let i = 0; i < count; i++) {
      await run(cluster, `create database ${nameOf(i)} strategy file_copy`);
    }
  }));
}

function nameOf(room: number): string {
  return `corpus_${room}`;
}

/**
 * Plays cases through one proxy. Each has a database of its own on primary and
 * mirror, and with it a mirror, a catalog and a table of statements.
 *
 * @returns what was said of each, in their order.
 */
export async function playBatch(
  cases: readonly CorpusCase[],
  servers: CorpusServers,
): Promise<readonly Judgement[]> {
  const rooms = cases.map((one, i) => ({ one, database: nameOf(i) }));
  const clusters = [servers.primary, ...Object.values(servers.mirrors)];
  await Promise.all(
    clusters.map((cluster) => prepare(cluster, rooms, servers)),
  );
  const judgements = await judge(rooms, servers);
  // A case that the judge misses has only the servers themselves as a witness.
  const isMissed = ({ one: { expect } }: Room, i: number) =>
    expect !== "clean" && judgements[i]?.found !== expect;
  const missed = rooms.filter(isMissed);
  await Promise.all(
    clusters.map((cluster) => prepare(cluster, missed, servers)),
  );
  return await Promise.all(rooms.map(async (room, i) => {
    const judgement = judgements[i] as Judgement; // one for each room
    return isMissed(room, i) && !await differs(room, servers)
      ? { found: "the same on both servers", isNotNamed: false }
      : judgement;
  }));
}

/** Whether the servers answer a case differently if they are asked without a proxy. */
async function differs(
  { one, database }: Room,
  { primary, mirrors }: CorpusServers,
): Promise<boolean> {
  const theirs = await playCase(one, primary.port, database);
  const mirror = mirrors[one.versions[1]];
  const ours = await playCase(one, mirror.port, database);
  return summaryOf(theirs) !== summaryOf(ours);
}

interface Room {
  readonly one: CorpusCase;
  readonly database: string;
}

/** Fills the databases of those cases that one server has a part in. */
async function prepare(
  cluster: Whereabouts,
  rooms: readonly Room[],
  { primary, mirrors }: CorpusServers,
): Promise<void> {
  const resets = rooms.map(({ database }) =>
    `alter database ${database} reset all`
  );
  await run(cluster, resets.join(";"));
  for (const { one, database } of rooms) {
    const isPrimary = cluster === primary;
    if (!isPrimary && cluster !== mirrors[one.versions[1]]) continue;
    const own = isPrimary ? one.primary : one.mirror;
    const sql = [EMPTY, one.setup, own].filter((text) => text !== undefined)
      .join(";\n").replaceAll("{database}", database);
    try {
      await run(cluster, sql, database);
    } catch (cause) {
      throw new Error(`${one.file}: "${one.name}" can't be set up`, { cause });
    }
  }
}

async function judge(
  rooms: readonly Room[],
  servers: CorpusServers,
): Promise<readonly Judgement[]> {
  const [first] = rooms;
  if (first === undefined) return [];
  await using proxy = await startProxy(rooms, servers);
  // It is asked last: by then schemas and types are known.
  await waitFor(
    "the servers' collations to be known",
    () =>
      proxy.logs.filter((line) => line.includes("Collations are known"))
        .length === rooms.length,
    DEADLINE_MS,
  );
  const waiting = [...rooms];
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let room = waiting.shift(); room; room = waiting.shift()) {
      await playCase(room.one, proxy.port, room.database);
    }
  }));
  const { statements } = await proxy.settled();
  const count = Object.values(statements).reduce((a, b) => a + b, 0);
  const rows = () => proxy.supervisor.statements();
  await waitFor(
    `${count} statements to be reported`,
    () => rows().reduce((sum, { calls }) => sum + calls, 0) === count,
    DEADLINE_MS,
  );
  return rooms.map(({ one, database }) =>
    judgementOf(one, rows().filter((row) => row.database === database))
  );
}

async function startProxy(
  rooms: readonly Room[],
  { primary, mirrors }: CorpusServers,
): Promise<TestProxy> {
  const more = rooms.map(({ one, database }) => {
    const mirror = mirrors[one.versions[1]];
    return `
[[databases]]
name = "${database}"
host = "${primary.host}"
port = ${primary.port}
user = "postgres"
[[databases]]
name = "mirror_of_${database}"
host = "${mirror.host}"
port = ${mirror.port}
database_name = "${database}"
user = "postgres"
[[mirroring]]
source_db = "${database}"
destination_db = "mirror_of_${database}"
`;
  });
  return await TestProxy.start({
    primary,
    general: { workers: 1, mirror_examples: "clear" },
    more: more.join(""),
  });
}

/** Runs SQL on a server itself. */
async function run(
  cluster: Whereabouts,
  sql: string,
  database?: string,
): Promise<void> {
  const connection = postgres(cluster.url(database), {
    max: 1,
    fetch_types: false,
    onnotice() {},
  });
  try {
    await connection.unsafe(sql).simple();
  } finally {
    await connection.end();
  }
}
