# Rails: the schema dumper, a model of each table, and what migrations ask.
require 'active_record'
require 'stringio'

ActiveRecord::Base.establish_connection(
  adapter: 'postgresql',
  host: ENV['PGHOST'],
  port: ENV['PGPORT'],
  username: ENV['PGUSER'],
  database: ENV['PGDATABASE'],
  schema_search_path: 'app,public'
)
connection = ActiveRecord::Base.connection
# It warns of each type that it does not know.
$VERBOSE = nil
dump = StringIO.new
ActiveRecord::SchemaDumper.dump(connection, dump)
raise dump.string unless dump.string.include?('create_table "vehicle"')

connection.data_sources.each do |name|
  connection.columns(name)
  connection.primary_keys(name)
  begin
    connection.indexes(name)
  rescue NoMethodError
    # Rails 6.1 reads the answer's INCLUDE and NULLS NOT DISTINCT wrongly.
  end
  connection.table_comment(name)
  connection.foreign_keys(name)
  connection.check_constraints(name)
  connection.pk_and_sequence_for(name)
  connection.table_exists?(name)
  connection.data_source_exists?(name)
  Class.new(ActiveRecord::Base) do
    self.table_name = name
    self.inheritance_column = nil
  end.columns_hash
end
connection.views
connection.extensions
connection.schema_names
connection.encoding
connection.collation
connection.ctype
connection.current_schema
connection.foreign_table_exists?('remote')
connection.index_name_exists?('orders', 'orders_open')
connection.execute('select id, state, during from orders order by id limit 1').to_a
connection.select_all('select * from customer order by id limit 1').to_a
connection.disconnect!
