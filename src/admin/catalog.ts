import { AdminError, quote, SQLSTATE } from "./admin_error.ts";
import type { AdminCommand } from "../plugin/api.ts";
import type { ControlCommand } from "./control.ts";
import { driverStatement } from "./driver_statements.ts";
import { nearest } from "./nearest.ts";
import type { Plan } from "./plan.ts";
import {
  commandKey,
  keyword,
  type Statement,
  type Token,
} from "./statement.ts";

/** Finds the plan of a statement: a command of the table, or a driver's habit. */
export class Catalog {
  readonly #plans = new Map<string, Plan>();
  /** Keys as the table writes them, for messages. */
  readonly #words = new Map<string, string>();

  readonly #control: readonly ControlCommand[];

  /** @throws {TypeError} if two commands have the same words */
  constructor(
    commands: readonly AdminCommand[],
    control: readonly ControlCommand[] = [],
  ) {
    this.#control = control;
    for (const { words } of control) {
      this.#words.set(keyOf(words), words);
    }
    for (const command of commands) {
      const key = keyOf(command.words);
      if (this.#words.has(key)) {
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
    const control = this.#controlPlan(statement);
    if (control !== undefined) return control;
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

  /** Its words, then its argument: one name or number, `TO` and `=` before it are left out. */
  #controlPlan({ tokens, text }: Statement): Plan | undefined {
    for (const command of this.#control) {
      const length = command.words.split(" ").length;
      if (commandKey(tokens.slice(0, length)) !== keyOf(command.words)) {
        continue;
      }
      let rest = tokens.slice(length);
      if (
        command.required && (keyword(rest[0]) === "TO" || rest[0]?.text === "=")
      ) {
        rest = rest.slice(1);
      }
      // A sign is a token of its own.
      const argument = rest.length === 0
        ? undefined
        : rest.map((token) => token.text).join("");
      const tooMany = rest.filter(({ kind }) => kind !== "mark").length > 1 ||
        (argument !== undefined && command.argument === undefined);
      if (tooMany || (command.required && argument === undefined)) {
        throw new AdminError(
          SQLSTATE.syntaxError,
          `syntax error in ${quote(text)}, it is ${helpWords(command)}`,
        );
      }
      return controlPlan(command, argument);
    }
    return undefined;
  }
}

function keyOf(words: string): string {
  return commandKey(
    words.split(" ").map((text): Token => ({ kind: "word", text })),
  );
}

function commandPlan(command: AdminCommand): Plan {
  const tag = (command.words.split(" ")[0] ?? "").toUpperCase();
  return {
    columns: command.columns,
    words: command.words,
    run: () => ({ rows: command.rows(), tag }),
  };
}

function controlPlan(
  command: ControlCommand,
  argument: string | undefined,
): Plan {
  return {
    columns: command.columns,
    words: argument === undefined
      ? command.words
      : `${command.words} ${argument}`,
    run: async () => ({
      rows: await command.run(argument),
      tag: command.words.split(" ")[0] ?? "",
      ...(command.notice === undefined ? {} : { notice: command.notice }),
    }),
  };
}

/** A command as SHOW HELP has it. */
export function helpWords({ words, argument }: ControlCommand): string {
  return argument === undefined ? words : `${words} ${argument}`;
}
