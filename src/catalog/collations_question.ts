/** Columns with a collation of their own: beyond so many nothing is told. */
const MAX_COLUMNS = 10_000;
/** And beyond so many collations: each is a sort of all texts. */
const MAX_COLLATIONS = 200;

/**
 * Texts that collations sort in different orders: by case, accents,
 * punctuation, spaces, digits, scripts, by letters of which languages have an
 * order of their own, and pairs like `1-1` and `11` whose order a release of
 * the C library has changed (PostgreSQL's wiki, "Locale data changes").
 */
const TEXTS: readonly string[] = [
  ...`a A b B c C d D e E i I o O s S t y z Z é É è ö ø œ ä Ä æ å Å ñ ß ü ı İ ł đ
    ð þ š ž ř α β Ω б Б г ґ я א ب あ ア ｱ 中 一 가 € ½ ² … — 😀
    aa Aa aA AA ab ae bc ca ch Ch cz dz ea éa gy ij ll lz nz oe rz ss sz st ue zz
    a-b a_b a.b a'b a,b a/b abc ABC aBc -a _a _e (a) #a $a @a *a ~a
    1 2 01 10 1a 1-1 11 1.1 a1 a2 a10 co-op coop CO-OP
    cote coté côte côté résumé Resume resume résumés`.split(/\s+/),
  ...[" a", " b", "a b", "a b c", "ab c", "b c", "B c", "1 1", "co op"],
];

/** The number of a text is its place among these. */
const LIST = `string_to_array('${
  TEXTS.join("\n").replaceAll("'", "''")
}', chr(10))`;

/**
 * Asks a server how it sorts. Rows of kind "texts": all texts as the server has
 * them, in hex; "collation": OID, the texts' numbers in its order, name;
 * "column": schema, relation, column, and the OID of its collation where that
 * is not the database's default. There are no rows where the encoding is
 * another than UTF-8, or something is beyond its bound. A query that sorts by a
 * collation has its name in its text: query_to_xml() runs one without a right. A
 * server without libxml has no such function, and tells nothing.
 */
export const COLLATIONS_QUESTION = `
set local search_path = pg_catalog;
with c as (
  select n.nspname, r.relname, a.attname, a.attcollation
  from pg_attribute a join pg_class r on r.oid = a.attrelid
  join pg_namespace n on n.oid = r.relnamespace
  where a.attnum > 0 and not a.attisdropped and a.attcollation not in (0, 100)
    and r.relkind in ('r', 'p', 'v', 'm', 'f')
    and n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%'),
used as (select 100::oid as oid union select attcollation from c),
known as (select where getdatabaseencoding() = 'UTF8'
  and (select count(*) from c) <= ${MAX_COLUMNS}
  and (select count(*) from used) <= ${MAX_COLLATIONS}),
named as (select k.oid, n.nspname, k.collname
  from known, used join pg_collation k on k.oid = used.oid
  join pg_namespace n on n.oid = k.collnamespace offset 0)
select 'texts', encode(convert_to(array_to_string(${LIST}, ','), 'UTF8'), 'hex'),
  '', '', '' from known
union all
select 'collation', oid::text, substring(query_to_xml(format(
    'select string_agg(i::text, '','' order by w collate %I.%I, w collate "C") as o
      from unnest(%L::text[]) with ordinality t (w, i)',
    nspname, collname, ${LIST}), false, false, '')::text from '<o>([0-9,]+)</o>'),
  nspname || '.' || collname, '' from named
union all
select 'column', nspname, relname, attname, attcollation::text from c, known`;
