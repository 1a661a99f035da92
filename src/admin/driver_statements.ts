import { AdminError, SQLSTATE } from "./admin_error.ts";
import { action, type Plan } from "./plan.ts";
import { selectPlan } from "./select.ts";
import { isParameter } from "./settings.ts";
import { keyword, type Statement, type Token } from "./statement.ts";

/**
 * Statements that drivers, pools and psql send by habit, and that are no
 * commands of ours: transactions, SET, SHOW of a parameter, SELECT 1, look-ups
 * in the catalog (which has nothing to show: zero rows).
 *
 * @returns `undefined` for a statement that is none of these
 */
export function driverStatement({ tokens }: Statement): Plan | undefined {
  const second = keyword(tokens[1]);
  switch (keyword(tokens[0])) {
    case "BEGIN":
      return action("BEGIN", (session) => session.begin());
    case "START":
      return second === "TRANSACTION"
        ? action("START TRANSACTION", (session) => session.begin())
        : undefined;
    case "COMMIT":
    case "END":
      return finish("COMMIT");
    case "ROLLBACK":
    case "ABORT":
      // ROLLBACK TO a savepoint is another thing.
      return tokens.some((token) => keyword(token) === "TO")
        ? undefined
        : finish("ROLLBACK");
    case "SET":
      return set(tokens.slice(1));
    case "RESET":
      return reset(tokens.slice(1));
    case "SHOW":
      return show(tokens.slice(1));
    case "DISCARD":
      return action(`DISCARD ${second}`, (session) => {
        if (second !== "ALL") return;
        session.closePortals();
        session.deallocate();
        session.settings.reset();
      });
    case "DEALLOCATE":
      return deallocate(tokens.slice(second === "PREPARE" ? 2 : 1));
    case "CLOSE":
      return second === "ALL"
        ? action("CLOSE CURSOR ALL", (session) => session.closePortals())
        : undefined;
    case "UNLISTEN":
      return action("UNLISTEN");
    case "SELECT":
    case "WITH":
      return selectPlan(tokens);
    default:
      return undefined;
  }
}

function finish(tag: "COMMIT" | "ROLLBACK"): Plan {
  return {
    columns: [],
    endsTransaction: true,
    run: (session) => ({ rows: [], tag: session.finish(tag) }),
  };
}

/** After SET: `[SESSION | LOCAL] name { TO | = } value`, and the forms without a name. */
function set(tokens: readonly Token[]): Plan | undefined {
  let rest = tokens;
  const scope = keyword(rest[0]);
  if (scope === "SESSION" && keyword(rest[1]) === "CHARACTERISTICS") {
    return action("SET");
  }
  if (scope === "SESSION" || scope === "LOCAL") rest = rest.slice(1);
  if (keyword(rest[0]) === "TRANSACTION") return action("SET");
  if (keyword(rest[0]) === "TIME" && keyword(rest[1]) === "ZONE") {
    return action("SET");
  }
  if (keyword(rest[0]) === "NAMES") {
    const value = valueOf(rest.slice(1));
    return action(
      "SET",
      ({ settings }) => settings.set("client_encoding", value),
    );
  }
  const name = nameOf(rest);
  const sign = rest[1];
  if (name === undefined || !isParameter(name)) return undefined;
  if (keyword(sign) !== "TO" && sign?.text !== "=") return undefined;
  const value = valueOf(rest.slice(2));
  return action("SET", ({ settings }) => {
    if (value.toUpperCase() === "DEFAULT") settings.reset(name);
    else settings.set(name, value);
  });
}

function reset(tokens: readonly Token[]): Plan | undefined {
  const name = nameOf(tokens);
  if (name === undefined || tokens.length !== 1) return undefined;
  if (name.toUpperCase() === "ALL") {
    return action("RESET", ({ settings }) => settings.reset());
  }
  return isParameter(name)
    ? action("RESET", ({ settings }) => settings.reset(name))
    : undefined;
}

/** SHOW name, SHOW ALL, and the two parameters that have a name of several words. */
function show(tokens: readonly Token[]): Plan | undefined {
  const words = tokens.map((token) => token.text.toLowerCase()).join(" ");
  if (words === "all") {
    return {
      columns: [{ name: "name", type: "text" }, {
        name: "setting",
        type: "text",
      }],
      run: ({ settings }) => ({ rows: settings.all(), tag: "SHOW" }),
    };
  }
  const name = words === "transaction isolation level"
    ? "transaction_isolation"
    : words === "time zone"
    ? "TimeZone"
    : tokens.length === 1
    ? nameOf(tokens)
    : undefined;
  if (name === undefined || !isParameter(name)) return undefined;
  return {
    columns: [{ name, type: "text" }],
    run: ({ settings }) => ({ rows: [[settings.get(name)]], tag: "SHOW" }),
  };
}

function deallocate(tokens: readonly Token[]): Plan | undefined {
  const name = nameOf(tokens);
  if (name === undefined || tokens.length !== 1) return undefined;
  return keyword(tokens[0]) === "ALL"
    ? action("DEALLOCATE ALL", (session) => session.deallocate())
    : action("DEALLOCATE", (session) => session.deallocate(name));
}

function nameOf(tokens: readonly Token[]): string | undefined {
  const first = tokens[0];
  return first?.kind === "word" || first?.kind === "quoted"
    ? first.text
    : undefined;
}

function valueOf(tokens: readonly Token[]): string {
  if (tokens.length === 0) {
    throw new AdminError(SQLSTATE.syntaxError, "SET needs a value");
  }
  return tokens.map((token) => token.text).join(" ").replaceAll(" ,", ",");
}
