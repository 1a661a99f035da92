/** Whose keys the server makes: of a sequence, of an identity column, by chance. */
export const SCHEMA = `
create sequence bill_number;
create table parents (
  id bigserial primary key, token uuid not null default gen_random_uuid() unique,
  who int not null, n int not null, at timestamptz not null default now(),
  unique (who, n)
);
create table children (
  id int generated always as identity primary key,
  parent_id bigint not null references parents, who int not null, n int not null,
  at timestamptz not null default now()
);
create table notes (
  id uuid primary key default gen_random_uuid(),
  token uuid not null references parents (token), who int not null, n int not null,
  at timestamptz not null default clock_timestamp()
);
create table bills (
  code text primary key default 'B-' || lpad(nextval('bill_number')::text, 6, '0'),
  child_id int not null references children, at timestamptz not null default now()
);
create table events (
  id bigserial primary key, who int not null, n int not null,
  at timestamptz not null default now()
);
create table pace (seconds float8 not null);
insert into pace values (0);
insert into parents (token, who, n, at)
  values ('00000000-0000-4000-8000-000000000000', -1, -1, '2026-01-01Z');
`;

/** The tables with their keys. */
export const TABLES = {
  parents: "id",
  children: "id",
  notes: "id",
  bills: "code",
  events: "id",
} as const;
