import { parseSync } from "libpg-query";
import { spliced } from "../given/mod.ts";
import { lastName, natureOfCall, type Token, tokens } from "../sql/mod.ts";

/** Words that tell the moment, and what makes a moment of their type again. */
const WORDS: ReadonlyMap<string, string> = new Map([
  ["current_timestamp", ""],
  ["localtimestamp", "::pg_catalog.timestamp"],
  ["current_date", "::pg_catalog.date"],
]);
/** Functions that do, without arguments. */
const CALLS: ReadonlySet<string> = new Set([
  "now",
  "transaction_timestamp",
  "statement_timestamp",
  "clock_timestamp",
]);
/** The same words as the tree has them. */
const OPERATIONS: ReadonlySet<unknown> = new Set([
  "SVFOP_CURRENT_TIMESTAMP",
  "SVFOP_LOCALTIMESTAMP",
  "SVFOP_CURRENT_DATE",
]);
/** Those that tell it in a way that can't be moved. */
const OTHER_OPERATION = /TIME/;
const LITERAL = /\b(?:now|today|tomorrow|yesterday)\b/i;

const decoder = new TextDecoder();

interface Place {
  readonly from: number;
  readonly to: number;
  /** What stands there, as text. */
  readonly asked: string;
  readonly cast: string;
}

/**
 * Writes a SELECT so that it runs as if it were another moment.
 *
 * @param text SQL of one statement.
 * @param offsetUs microseconds from now on, or back.
 * @returns undefined if it asks for the moment in other ways than `now()` and
 * its like, or not at all, or draws lots.
 */
export function atMoment(
  text: Uint8Array,
  offsetUs: number,
): Uint8Array<ArrayBuffer> | undefined {
  const places = placesIn(text);
  try {
    if (places.length === 0 || momentsOf(text) !== places.length) {
      return undefined;
    }
    const us = Math.round(offsetUs);
    const written = spliced(
      text,
      0,
      text.length,
      places.map(({ from, to, asked, cast }) => ({
        from,
        to,
        text:
          `((${asked} OPERATOR(pg_catalog.+) pg_catalog.make_interval(secs => ${us} / 1e6))${cast})`,
      })),
    );
    return momentsOf(written) === places.length ? written : undefined;
  } catch {
    // The text does not parse.
    return undefined;
  }
}

function placesIn(text: Uint8Array): readonly Place[] {
  const all = [...tokens(text, 0, text.length)];
  const word = (token: Token | undefined) =>
    token && decoder.decode(text.slice(token.start, token.end)).toLowerCase();
  return all.flatMap((token, i): Place[] => {
    if (token.kind !== "word" || word(all[i - 1]) === ".") return [];
    const { start: from, end } = token;
    const asked = word(token) ?? "";
    const [open, close] = [all[i + 1], all[i + 2]];
    if (CALLS.has(asked) && word(open) === "(" && word(close) === ")") {
      const to = close?.end ?? end;
      return [{ from, to, asked: `pg_catalog.${asked}()`, cast: "" }];
    }
    const cast = WORDS.get(asked);
    if (cast === undefined || word(open) === "(") return [];
    return [{ from, to: end, asked: "pg_catalog.now()", cast }];
  });
}

/** How often a text asks for the moment. @throws {Error} It does not parse, or does so in other ways. */
function momentsOf(text: Uint8Array): number {
  const { stmts = [] } = parseSync(decoder.decode(text.slice())) as {
    stmts?: unknown[];
  };
  if (stmts.length !== 1) throw new Error("not one statement");
  return moments(stmts);
}

function moments(tree: unknown): number {
  if (typeof tree !== "object" || tree === null) return 0;
  const { FuncCall, SQLValueFunction, A_Const } = tree as {
    FuncCall?: { funcname?: unknown; args?: readonly unknown[] };
    SQLValueFunction?: { op?: unknown };
    A_Const?: { sval?: { sval?: string } };
  };
  if (A_Const !== undefined) {
    if (LITERAL.test(A_Const.sval?.sval ?? "")) throw new Error("in words");
    return 0;
  }
  if (SQLValueFunction !== undefined) {
    const { op } = SQLValueFunction;
    if (OPERATIONS.has(op)) return 1;
    if (OTHER_OPERATION.test(String(op))) throw new Error("another moment");
    return 0;
  }
  const inner = Object.values(FuncCall ?? tree).reduce<number>(
    (all, node) => all + moments(node),
    0,
  );
  if (FuncCall === undefined) return inner;
  const { funcname, args = [] } = FuncCall;
  const name = lastName(funcname);
  const nature = natureOfCall(name, args.length);
  if (nature === undefined) return inner;
  if (nature === "time" && CALLS.has(name) && args.length === 0) return 1;
  throw new Error("another moment, or chance");
}
