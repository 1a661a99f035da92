import type { Collated } from "./trait.ts";
import { lastName, list, type Node, unwrap } from "./tree.ts";

/** What the names in an expression stand for, as texts. */
export interface TextScope {
  /** @throws {TooLargeError} The statement takes too many steps. */
  spend(steps: number): void;
  /** @param fields of a ColumnRef. @returns undefined: it is no text. */
  textOfColumn(fields: readonly Node[]): Collated | undefined;
  /** Of the first column of an inner query. */
  textOfSelect(select: Node): Collated | undefined;
}

/** What they give of a text is one (manual, "String Functions and Operators", "Aggregate Functions", "Window Functions"). */
const KEEP = wordsOf(`
  any_value array_agg array_append array_cat array_prepend btrim first_value
  initcap lag last_value lead left lower lpad ltrim max min mode normalize
  nth_value overlay percentile_disc regexp_replace regexp_split_to_array
  regexp_split_to_table regexp_substr repeat replace reverse right rpad rtrim
  split_part string_to_array string_to_table substr substring translate trim
  unaccent unnest upper`);

/** They make a text of what they are given. */
const MAKE = wordsOf(`
  abbrev array_to_string chr concat concat_ws encode format host
  json_array_elements_text json_each_text json_extract_path_text
  json_object_keys jsonb_array_elements_text jsonb_each_text
  jsonb_extract_path_text jsonb_object_keys md5 quote_ident quote_literal
  string_agg text to_char to_hex`);

/** Types with a collation, as the grammar names them. */
const TEXT_TYPES = new Set(["text", "varchar", "bpchar", "citext"]);

/** Collations that are the order of bytes on each server. */
const BYTEWISE = new Set(["C", "POSIX", "ucs_basic"]);

/** Operators that give a text of JSON. */
const JSON_TEXT = new Set(["->>", "#>>"]);

const MADE: Collated = { columns: [], made: "text" };
const LITERAL: Collated = { columns: [], made: "literal" };

/**
 * The texts among sort keys, but for those that COLLATE sorts by bytes. A
 * number or a time has no collation, nor has what is made of a text by a
 * function that is not known.
 */
export function textKeys(
  keys: readonly unknown[],
  scope: TextScope,
): readonly Collated[] {
  return keys.flatMap((key) => {
    const text = textOf(key, scope);
    return text === undefined || BYTEWISE.has(text.named ?? "") ? [] : [text];
  });
}

/** By which collation an expression is sorted; undefined: it is no text. Names are those of `scope`. */
export function textOf(
  expression: unknown,
  scope: TextScope,
): Collated | undefined {
  const text = textOfNode(unwrap(expression), scope);
  scope.spend(1 + (text?.columns.length ?? 0));
  return text;
}

function textOfNode(
  [type, node]: readonly [string, Node],
  scope: TextScope,
): Collated | undefined {
  const inner = (value: unknown) => textOf(value, scope);
  switch (type) {
    case "ColumnRef":
      return scope.textOfColumn(node.fields as readonly Node[]);
    case "A_Const":
      return node.sval === undefined ? undefined : LITERAL;
    case "CollateClause": {
      const text = inner(node.arg) ?? MADE;
      return { ...text, named: lastName(node.collname) };
    }
    case "TypeCast": {
      const name = lastName((node.typeName as Node | undefined)?.names);
      return TEXT_TYPES.has(name) ? made(inner(node.arg)) : undefined;
    }
    case "FuncCall": {
      const name = lastName(node.funcname);
      const isMade = MAKE.has(name);
      if (!isMade && !KEEP.has(name)) return undefined;
      const order = node.agg_within_group === true ? sorted(node) : [];
      const text = together([...list(node.args), ...order].map(inner));
      return isMade ? made(text) : text;
    }
    case "A_Expr": {
      const operator = lastName(node.name);
      if (node.kind === "AEXPR_NULLIF") return inner(node.lexpr);
      if (node.kind !== "AEXPR_OP") return undefined;
      if (JSON_TEXT.has(operator)) return MADE;
      if (operator !== "||") return undefined;
      const both = together([inner(node.lexpr), inner(node.rexpr)]);
      return both?.made === undefined ? both : made(both);
    }
    case "CoalesceExpr":
    case "MinMaxExpr":
    case "RowExpr":
      return together(list(node.args).map(inner));
    case "A_ArrayExpr":
      return together(list(node.elements).map(inner));
    case "CaseExpr": {
      const results = list(node.args).map(({ CaseWhen }) =>
        (CaseWhen as Node).result
      );
      return together([...results, node.defresult].map(inner));
    }
    case "A_Indirection":
      return inner(node.arg);
    case "SubLink": {
      const { SelectStmt } = (node.subselect ?? {}) as { SelectStmt?: Node };
      const isValue = SelectStmt !== undefined &&
        /^(EXPR|ARRAY)_SUBLINK$/.test(String(node.subLinkType));
      return isValue ? scope.textOfSelect(SelectStmt) : undefined;
    }
    default:
      return undefined;
  }
}

/** What any of several may be, or what comes of all of them; undefined: none is a text. */
export function together(
  texts: readonly (Collated | undefined)[],
): Collated | undefined {
  const some = texts.filter((text) => text !== undefined);
  if (some.length < 2) return some[0];
  const columns = some.flatMap(({ columns }) => columns);
  const made = ["text", "literal"] as const;
  const known = made.find((one) => some.some((text) => text.made === one));
  // COLLATE goes before what it stands beside (manual, "Collation Support").
  const named = some.find(({ named }) => named !== undefined)?.named;
  return {
    columns: [...new Map(columns.map((one) => [keyOf(one), one])).values()],
    ...(known === undefined ? {} : { made: known }),
    ...(named === undefined ? {} : { named }),
  };
}

function keyOf({ relation, column }: Collated["columns"][number]): string {
  return `${relation}\n${column}`;
}

function made(text: Collated = MADE): Collated {
  return { ...text, made: "text" };
}

function sorted({ agg_order }: Node): readonly unknown[] {
  return list(agg_order).map(({ SortBy }) => (SortBy as Node).node);
}

function wordsOf(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}
