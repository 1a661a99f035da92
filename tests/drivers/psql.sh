#!/bin/bash
# psql, on libpq. It has no pipeline before version 18, and prepares by SQL only.
# The server writes the line of JSON.
set -euo pipefail
psql=(psql --no-psqlrc --quiet --no-align --tuples-only --set=VERBOSITY=sqlstate)
export COPIED
COPIED=$(mktemp)
trap 'rm "$COPIED"' EXIT

# psql cancels on SIGINT.
coproc sleeper {
  exec "${psql[@]}" 2>&1 <<'SQL'
do $$ begin raise notice 'running'; perform pg_sleep(60); end $$;
SQL
}
# Bash forgets both when it ends.
pid=$sleeper_PID
exec {output}<&"${sleeper[0]}"
cancel=
while read -r line <&"$output"; do
  case $line in
    NOTICE:*) kill -INT "$pid" ;;
    ERROR:*) cancel=${line##* } ;;
  esac
done

"${psql[@]}" --set=cancel="$cancel" 2>/dev/null <<'SQL'
select current_user as user \gset
prepare p (int, text) as select json_build_array($1 + 1, $2) as row;
execute p (41, 'first ☕') \gset one_
execute p (42, null) \gset two_
select json_build_array(
  9007199254740993::text, 0.5::float8, true,
  encode('\x00ff41'::bytea, 'hex'), null, 'naïve 😀'
) as values \gset
begin;
copy item from stdin;
1	one
2	\N
3	zwölf 😀
\.
\o | cat >"$COPIED"
copy (select n, t from item order by n) to stdout;
\o
\set copy `cat "$COPIED"`
rollback;
select count(*) as count from item \gset
select 1 / 0;
\set failed :LAST_ERROR_SQLSTATE
select json_build_object(
  'user', :'user',
  'prepared', json_build_array(:'one_row'::json, :'two_row'::json),
  'values', :'values'::json,
  'copy', string_to_array(:'copy', E'\n'),
  'rolledBack', :count,
  'failed', :'failed',
  'cancel', :'cancel'
);
SQL
