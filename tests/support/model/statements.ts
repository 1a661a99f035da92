import fc from "fast-check";

/**
 * What scripts find in their schema: a table with a key, one whose constraint
 * is checked at commit, and a sequence behind neither.
 */
export const TABLES = `
create table t (a int primary key, b text);
create table d (a int unique deferrable initially deferred);
`;
/** Brings the tables back to where every script begins. */
export const RESET =
  "truncate t, d; insert into t select i, 'row ' || i from generate_series(1, 5) i";

const small = fc.integer({ min: -2, max: 9 });
const word = fc.constantFrom("a", "it''s", "é€😀", "", "x y", "\\.", "%");

function sql(
  strings: TemplateStringsArray,
  ...values: fc.Arbitrary<unknown>[]
): fc.Arbitrary<string> {
  return fc.tuple(...values).map((chosen) =>
    String.raw({ raw: strings }, ...chosen)
  );
}

const table = fc.constantFrom("t", "t", "t", "d", "tt", "no_such_table");
const cursor = fc.constantFrom("c1", "c2");
const savepoint = fc.constantFrom("s1", "s2");
const prepared = fc.constantFrom("q1", "q2");

const reads: fc.Arbitrary<string>[] = [
  sql`select ${small}`,
  sql`select ${small} as "x", '${word}' as y, null::int`,
  sql`select a, b from t where a > ${small} order by a`,
  sql`select a from t where a <> ${small}`,
  sql`select count(*), max(b) from ${table}`,
  sql`select b from ${table} order by 1`,
  sql`select i, repeat('${word}', i) from generate_series(1, ${
    fc.constantFrom(0, 1, 3, 40)
  }) i`,
  sql`select repeat('x', ${fc.constantFrom(10, 9_000, 70_000, 300_000)})`,
  sql`values (${small}, '${word}'), (${small}, null)`,
  sql`select 10 / ${small}`,
  sql`select 1 / (3 - i) from generate_series(1, 5) i`,
  sql`table ${table} limit 0`,
  sql`select ${small}::numeric / 7, ${small}::float8 / 3, array[1, ${small}]`,
  sql`select '{"k": ${small}}'::jsonb, '1 day'::interval, 'x'::bytea`,
  sql`select`,
  sql`explain (costs off) select * from t where a = ${small}`,
];

const writes: fc.Arbitrary<string>[] = [
  sql`insert into t values (${small}, '${word}')`,
  sql`insert into t values (${small}, '${word}') returning a, b`,
  sql`insert into t values (${small}, '${word}') on conflict do nothing`,
  sql`insert into t values (${small}, 'n') on conflict (a) do update set b = excluded.b returning b`,
  sql`insert into d values (${small}), (${small})`,
  sql`insert into t (a) select 100 + i from generate_series(1, ${small}) i`,
  sql`update t set b = '${word}' where a = ${small}`,
  sql`update t set a = a + ${small}`,
  sql`delete from t where a < ${small}`,
  sql`delete from t where a = ${small} returning *`,
  sql`with gone as (delete from t where a = ${small} returning a) select * from gone`,
  sql`merge into t using (values (${small})) v (a) on t.a = v.a when matched then delete when not matched then insert values (v.a, 'm')`,
  sql`truncate ${table}`,
  sql`select * from t where a = ${small} for update`,
];

const control: fc.Arbitrary<string>[] = [
  fc.constantFrom(
    "begin",
    "begin isolation level serializable",
    "begin read only",
    "start transaction isolation level repeatable read",
    "commit",
    "commit",
    "end",
    "rollback",
    "abort",
    "commit and chain",
    "rollback and chain",
    "set constraints all immediate",
    "prepare transaction 'x'",
  ),
  sql`savepoint ${savepoint}`,
  sql`rollback to ${savepoint}`,
  sql`release ${savepoint}`,
];

const session: fc.Arbitrary<string>[] = [
  sql`set application_name to '${word}'`,
  sql`set local work_mem to '${fc.constantFrom("64kB", "1MB", "none")}'`,
  sql`set datestyle to ${fc.constantFrom("iso", "german", "sql")}`,
  sql`set intervalstyle to ${fc.constantFrom("postgres", "iso_8601")}`,
  sql`show ${fc.constantFrom("datestyle", "application_name", "no.such")}`,
  sql`reset ${fc.constantFrom("datestyle", "all")}`,
  sql`select set_config('my.x', '${word}', ${fc.boolean()})`,
  sql`prepare ${prepared} as select $1::int + ${small}`,
  sql`prepare ${prepared} (int) as insert into t values ($1, 'p') returning a`,
  sql`execute ${prepared} (${small})`,
  sql`deallocate ${fc.constantFrom("q1", "q2", "all")}`,
  sql`declare ${cursor} cursor for select a from t order by a`,
  sql`declare ${cursor} scroll cursor with hold for select i from generate_series(1, 9) i`,
  sql`fetch ${
    fc.constantFrom("1", "2", "all", "0", "backward 1")
  } from ${cursor}`,
  sql`move ${fc.constantFrom("1", "forward 3")} in ${cursor}`,
  sql`close ${fc.constantFrom("c1", "c2", "all")}`,
  sql`create temp table tt (a int)`,
  sql`create temp table tt on commit drop as select ${small} as a`,
  sql`drop table if exists tt`,
  sql`insert into tt values (${small}) returning a`,
  sql`discard ${fc.constantFrom("plans", "temp", "sequences", "all")}`,
  sql`lock table t in share mode`,
  sql`do $$ begin raise notice 'seen %', ${small}; end $$`,
  sql`do $$ begin raise warning 'w'; raise exception 'no' using errcode = '${
    fc.constantFrom("P0001", "XX123", "22012")
  }'; end $$`,
  sql`do $$ begin for i in 1..${
    fc.constantFrom(1, 50)
  } loop raise notice '%', i; end loop; end $$`,
  sql`set client_min_messages to ${
    fc.constantFrom("error", "notice", "debug1")
  }`,
  fc.constant("select pg_advisory_xact_lock(hashtext(current_schema()))"),
  sql`create function pg_temp.f(int) returns int language sql as 'select $1 + ${small}'`,
  sql`select pg_temp.f(${small})`,
];

const nothing = fc.constantFrom(
  "",
  ";",
  " ; ; ",
  "-- nothing",
  "/* nothing */",
  "selec 1",
  "select 'open",
  'select "é" from t',
  "select $1",
  "no sql at all; select 1",
);

/** One statement that asks for no copy data. */
export const statement: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.oneof(...reads) },
  { weight: 5, arbitrary: fc.oneof(...writes) },
  { weight: 6, arbitrary: fc.oneof(...control) },
  { weight: 5, arbitrary: fc.oneof(...session) },
  { weight: 1, arbitrary: nothing },
);

/** COPY TO in its formats. */
export const copyOut: fc.Arbitrary<string> =
  sql`copy (select i, '${word}' from generate_series(1, ${
    fc.constantFrom(0, 1, 5, 2_000)
  }) i) to stdout ${fc.constantFrom("", "csv header", "(format binary)")}`;

/** COPY FROM into tables that are there, and that are not. */
export const copyIn: fc.Arbitrary<string> = sql`copy ${table} ${
  fc.constantFrom("", "", "(a)")
} from stdin ${fc.constantFrom("", "csv", "with (header)")}`;

/** The string of a Query message: often one statement, sometimes more. */
export const queryText: fc.Arbitrary<string> = fc.oneof(
  { weight: 5, arbitrary: statement },
  {
    weight: 2,
    arbitrary: fc.array(fc.oneof(statement, copyOut), {
      minLength: 2,
      maxLength: 5,
    }).map((all) => all.join("; ")),
  },
  { weight: 1, arbitrary: copyOut },
);

/** A statement with parameters, for Parse. */
export const parameterized: fc.Arbitrary<string> = fc.constantFrom(
  "select $1::int",
  "select $1::text, $2::int",
  "select a, b from t where a >= $1 order by a",
  "insert into t values ($1, $2)",
  "insert into t values ($1, $2) returning *",
  "update t set b = $2 where a = $1",
  "select i from generate_series(1, $1) i",
);
