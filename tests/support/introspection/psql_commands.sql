\conninfo
\pset pager off
\l
\l+
\du
\du+
\dg
\drds
\db+
\dn
\dn+
\dx
\dx+
\dx+ citext
\dL+
\dF+
\dFd+
\dFp+
\dFt+
\dO+
\dC+
\dc+
\do+
\do+ app.*
\dA+
\dAc+ btree int4
\dAf+ btree int4
\dAo+ btree int4
\dAp+ btree int4
\dconfig
\dconfig+ work_mem
\dew+
\des+
\deu+
\det+
\dRp
\dRp+
\dRs
\dRs+
\dl
\dy+
\ddp
set search_path to app, public;
\d
\d+
\dt
\dt+
\dt+ app.*
\dv+
\dm+
\di+
\ds+
\dE+
\dp
\z app.*
\df
\df+
\df+ app.*
\dfa+
\dft+
\df+ pg_catalog.array_*
\da+
\dT
\dT+
\dT+ app.*
\dD+
\dd
\dP+
\dPn+
\dPi+
\dX
\dtvmsE+
\dS+ pg_class
\d+ customer
\d+ orders
\d+ line
\d+ measure
\d+ measure_2024
\d+ measure_2025
\d+ measure_2025_0
\d+ measure_rest
\d+ vehicle
\d+ car
\d+ scratch
\d+ document
\d+ open_orders
\d+ new_orders
\d+ countdown
\d+ sales
\d+ remote
\d+ invoice_number
\d+ orders_id_seq
\d+ customer_id_seq
\d+ orders_state
\d+ orders_open
\d+ orders_year
\d+ measure_device
\d+ customer_facts
\d+ one_at_a_time
\d+ address
\d+ app.*
\d no_such_table
\d pg_catalog.pg_am
\d+ information_schema.tables
\sf touch
\sf+ total
\sf orders_of
\sf label
\sf tidy
\sf no_such_function
\sv open_orders
\sv+ new_orders
\sv countdown
select * from orders \gdesc
select id, state from orders order by id limit 3 \gx
select format('analyze %I', relname) from pg_class where relname = 'vehicle' \gexec
\encoding
