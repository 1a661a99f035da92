<?php
// PHP's pgsql, on libpq. It has no pipeline, and values are texts.
$conn = pg_connect("");
$seen = [];
$seen["user"] = pg_fetch_result(pg_query($conn, "select current_user"), 0, 0);
pg_prepare($conn, "p", 'select $1::int + 1, $2::text');
foreach ([[41, "first ☕"], [42, null]] as $values) {
  [$n, $t] = pg_fetch_row(pg_execute($conn, "p", $values));
  $seen["prepared"][] = [(int) $n, $t];
}
[$big, $float, $bool, $raw, $nothing, $text] = pg_fetch_row(pg_query_params(
  $conn,
  'select $1::bigint, $2::float8, $3::boolean, $4::bytea, $5::text, $6::text',
  ["9007199254740993", 0.5, "t", "\\x00ff41", null, "naïve 😀"],
));
$bytes = bin2hex(pg_unescape_bytea($raw));
$seen["values"] = [$big, (float) $float, $bool === "t", $bytes, $nothing, $text];

pg_query($conn, "begin");
pg_copy_from($conn, "item", ["1\tone\n", "2\t\\N\n", "3\tzwölf 😀\n"]);
$rows = pg_copy_to($conn, "(select n, t from item order by n)");
$seen["copy"] = array_map(fn($row) => rtrim($row, "\n"), $rows);
pg_query($conn, "rollback");
$count = pg_fetch_result(pg_query($conn, "select count(*) from item"), 0, 0);
$seen["rolledBack"] = (int) $count;

function sqlstate($conn, $sql) {
  pg_send_query($conn, $sql);
  return pg_result_error_field(pg_get_result($conn), PGSQL_DIAG_SQLSTATE);
}

$seen["failed"] = sqlstate($conn, "select 1 / 0");
pg_get_result($conn); // false: that was all
// pg_cancel_query throws the answer away: what is left of it is that the
// transaction has failed.
pg_query($conn, "begin");
pg_send_query(
  $conn,
  "do $$ begin raise notice 'running'; perform pg_sleep(60); end $$",
);
while (pg_last_notice($conn) === "") {
  pg_connection_busy($conn); // reads
  usleep(10_000);
}
pg_cancel_query($conn);
$seen["cancel"] = sqlstate($conn, "select 1");
pg_get_result($conn);
pg_query($conn, "rollback");
pg_close($conn);
echo json_encode($seen), "\n";
