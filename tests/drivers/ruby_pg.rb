# pg for Ruby, on libpq, with its pipeline mode.
require "json"
require "pg"

conn = PG.connect
conn.type_map_for_results = PG::BasicTypeMapForResults.new(conn)
seen = {}
seen[:user] = conn.exec("select current_user::text").getvalue(0, 0)
conn.prepare("p", "select $1::int + 1, $2::text")
seen[:prepared] = [[41, "first ☕"], [42, nil]].map do |values|
  conn.exec_prepared("p", values).values.first
end
bytes = { value: "\x00\xffA".b, format: 1 }
big, *rest, raw, nothing, text = conn.exec_params(
  "select $1::bigint, $2::float8, $3::boolean, $4::bytea, $5::text, $6::text",
  [9007199254740993, 0.5, true, bytes, nil, "naïve 😀"],
).values.first
seen[:values] = [big.to_s, *rest, raw.unpack1("H*"), nothing, text]

conn.enter_pipeline_mode
(1..3).each { |n| conn.send_query_params("select $1::int", [n]) }
conn.pipeline_sync
seen[:pipeline] = (1..3).map do
  value = conn.get_result.getvalue(0, 0)
  conn.get_result # nil: the statement's end
  value
end
conn.get_result # the Sync's
conn.exit_pipeline_mode

conn.exec("begin")
conn.copy_data("copy item from stdin") do
  ["1\tone\n", "2\t\\N\n", "3\tzwölf 😀\n"].each { |row| conn.put_copy_data(row) }
end
seen[:copy] = []
conn.copy_data("copy (select n, t from item order by n) to stdout") do
  while (row = conn.get_copy_data)
    seen[:copy] << row.force_encoding("utf-8").chomp
  end
end
conn.exec("rollback")
seen[:rolledBack] = conn.exec("select count(*) from item").getvalue(0, 0)

def sqlstate
  yield
rescue PG::Error => e
  e.result.error_field(PG::Result::PG_DIAG_SQLSTATE)
end

seen[:failed] = sqlstate { conn.exec("select 1 / 0") }
conn.send_query("select pg_sleep(60)")
conn.cancel until conn.block(0.2)
seen[:cancel] = sqlstate { conn.get_last_result }
conn.close
puts JSON.generate(seen)
