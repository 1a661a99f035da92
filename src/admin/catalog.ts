import { AdminError, quote, SQLSTATE } from "./admin_error.ts";
import type { AdminCommand } from "../plugin/api.ts";
import { driverStatement } from "./driver_statements.ts";
import { nearest } from "./nearest.ts";
import type { Plan } from "./plan.ts";
import { commandKey, type Statement, type Token } from "./statement.ts";

/** Finds the plan of a statement: a command of the table, or a driver's habit. */
export class Catalog {
  readonly #plans = new Map<string, Plan>();
  /** Keys as the table writes them, for messages. */
  readonly #words = new Map<string, string>();

  /** @throws {TypeError} if two commands have the same words */
  constructor(commands: readonly AdminCommand[]) {
    for (const command of commands) {
      const words = command.words.split(" ");
      const key = commandKey(
        words.map((text): Token => ({ kind: "word", text })),
      );
      if (this.#plans.has(key)) {
        throw new TypeError(`Admin command "${command.words}" is there twice`);
      }
      this.#plans.set(key, commandPlan(command));
      this.#words.set(key, command.words);
    }
  }

  /** @throws {AdminError} 42601 with the nearest command; 0A000 for parameters and queries */
  plan(statement: Statement): Plan {
    const key = commandKey(statement.tokens);
    const command = this.#plans.get(key);
    if (command !== undefined) return command;
    if (statement.tokens.some(({ kind }) => kind === "parameter")) {
      throw new AdminError(
        SQLSTATE.featureNotSupported,
        "the console takes no parameters such as $1",
      );
    }
    const plan = driverStatement(statement);
    if (plan !== undefined) return plan;
    const near = nearest(key, this.#words.keys());
    throw new AdminError(
      SQLSTATE.syntaxError,
      `unknown command ${quote(statement.text)}${
        near === undefined ? "" : `, the nearest is ${this.#words.get(near)}`
      }`,
      "SHOW HELP lists the commands.",
    );
  }
}

function commandPlan(command: AdminCommand): Plan {
  const tag = (command.words.split(" ")[0] ?? "").toUpperCase();
  return {
    columns: command.columns,
    words: command.words,
    run: () => ({ rows: command.rows(), tag }),
  };
}
