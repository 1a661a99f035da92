-- The demo's shop as pgbench runs it: statements of src/cli/demo's workload,
-- without what pgbench has no command for (COPY, errors that are expected).
-- Needs -D run, -D n=0 and -D clients. A client uses customers of its own and
-- leaves as many orders as it found, so that no run makes the next one slower.
\set n :n + 1
\set id (:client_id + 1) * 1000000000 + :run * 1000000 + :n
\set customer random(0, 1000 / :clients - 1) * :clients + :client_id + 1
\set tag random(1, 12)
\set product_a random(1, 200)
\set product_b random(1, 200)
-- In ascending order, as everybody does: no deadlocks.
\set first least(:product_a, :product_b)
\set second greatest(:product_a, :product_b)
\set quantity random(1, 4)
select * from customers where email = 'customer' || :customer || '@example.com';
select id, sku, name, price, tags from products where 'tag' || :tag = any(tags) order by price, id limit 20;
select o.id, o.status, o.created_at, o.note, i.line, p.name, i.quantity * i.price as amount from orders o join order_items i on i.order_id = o.id join products p on p.id = i.product_id where o.customer_id = :customer order by o.id, i.line;
begin;
insert into orders (id, customer_id, status, created_at) values (:id, :customer, 'new', timestamptz '2024-06-01 00:00:00+00' + :n * interval '1 second');
insert into order_items (order_id, line, product_id, quantity, price) select :id, 1, id, :quantity, price from products where id = :first;
update stock set quantity = quantity - :quantity, sold = sold + :quantity where product_id = :first;
insert into order_items (order_id, line, product_id, quantity, price) select :id, 2, id, :quantity, price from products where id = :second;
update stock set quantity = quantity - :quantity, sold = sold + :quantity where product_id = :second;
insert into audit (client, entry, at, what) values (:client_id + 1, :id, timestamptz '2024-06-01 00:00:00+00' + :n * interval '1 second', 'order placed');
commit;
update orders set status = 'paid' where id = :id returning id, status;
update customers set preferences = preferences || jsonb_build_object('level', (:tag)::int) where id = :customer returning id, preferences;
select order_id, line, rank() over (partition by order_id order by price, line) from order_items where order_id <= :quantity order by order_id, line;
delete from orders where id = :id;
