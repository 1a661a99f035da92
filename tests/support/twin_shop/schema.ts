import type { Way } from "./maker.ts";

/** The tables with their primary keys. */
export const TABLES: Readonly<Record<string, string>> = {
  customers: "id",
  sessions: "id",
  products: "id",
  orders: "id",
  order_items: "id",
  payments: "id",
  jobs: "id",
  outbox: "id",
  audit: "id",
  locks: "name",
};

/** The type of ids. */
export function idType(way: Way): "bigint" | "uuid" {
  return way === "client" ? "uuid" : "bigint";
}

/** What the trigger on orders writes: a row of its own, with the order's id. */
const AUDIT: Readonly<Record<Way, string>> = {
  server: "audit (order_id, status) values (new.id, new.status)",
  ids: `audit (order_id, status, at)
    values (new.id, new.status, new.updated_at)`,
  client: `audit (id, order_id, status, at)
    values (
      md5(concat(new.id, new.status, new.updated_at at time zone 'UTC'))::uuid,
      new.id, new.status, new.updated_at)`,
};

/** Nothing in it is of chance before the first client comes. */
export function schema(way: Way): string {
  const type = idType(way);
  const key = (serverSide: string) =>
    `${way === "client" ? "uuid" : serverSide} primary key`;
  const serial = key("bigserial");
  const identity = key("bigint generated always as identity");
  const time = `timestamptz not null${
    way === "server" ? " default now()" : ""
  }`;
  const token = `uuid not null${
    way === "server" ? " default gen_random_uuid()" : ""
  }`;
  // Rows of the start: with the ids that a sequence gives anyway.
  const id = way === "client" ? "id, " : "";
  const ofStart = (what: string) =>
    way === "client" ? `md5('${what}' || i)::uuid, ` : "";
  return `
create table customers (
  id ${serial}, email text not null unique, name text not null, created_at ${time}
);
create table sessions (
  id ${identity}, token ${token} unique,
  customer_id ${type} not null references customers,
  created_at ${time}, last_seen timestamptz, expires_at timestamptz not null
);
create table products (
  id ${identity}, sku text not null unique, price int not null, stock int not null
);
create table orders (
  id ${serial}, token ${token},
  customer_id ${type} not null references customers,
  status text not null, total int not null,
  created_at ${time}, updated_at ${time}
);
create index on orders (customer_id);
create table order_items (
  id ${identity}, order_id ${type} not null references orders,
  product_id ${type} not null references products, quantity int not null
);
create index on order_items (order_id);
create table payments (
  id ${serial}, order_id ${type} not null unique references orders,
  amount int not null, paid_at ${time}
);
create table jobs (
  id ${serial}, order_id ${type} not null references orders,
  status text not null default 'ready', created_at ${time}, locked_at timestamptz
);
create index on jobs (status, id);
create table outbox (
  id ${serial}, topic text not null, order_id ${type} not null, created_at ${time}
);
create table audit (
  id ${serial}, order_id ${type} not null, status text not null, at ${time}
);
create table locks (name text primary key, owner int not null, created_at ${time});
create function audit_order() returns trigger language plpgsql as $$
  begin
    insert into ${AUDIT[way]};
    return null;
  end $$;
create trigger audit_order after insert or update on orders
  for each row execute function audit_order();
insert into customers (${id}email, name, created_at)
  select ${ofStart("customer")}i || '@example.org', 'name ' || i, '2030-01-01Z'
  from generate_series(1, 50) i;
insert into products (${id}sku, price, stock)
  select ${ofStart("product")}'sku ' || i, 100 * (1 + i % 7), 1000000
  from generate_series(1, 40) i;
`;
}
