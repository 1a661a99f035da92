import { Framer } from "../../../src/wire/mod.ts";
import { concat, int16, int32, message } from "../wire_client.ts";

const decoder = new TextDecoder();

/**
 * What the model knows of a statement, by its text. A copy's target says where
 * it fails: at a bad line or at none, before it reads data (a view, a BEFORE
 * trigger of the statement), or behind all of them.
 */
const COMMANDS: Commands = {
  "select 1": "row",
  "selec 1": "syntax",
  "select 1/0": "plan",
  "select 1/(i-1) from generate_series(1,1) i": "run",
  "begin": "begin",
  "commit": "end",
  "rollback": "end",
  "copy ct from stdin": "copy",
  "copy cx from stdin": "copy any",
  "copy cv from stdin": "copy early",
  "copy cs from stdin": "copy early",
  "copy ca from stdin": "copy late",
  "copy cm from stdin": "missing",
};

type Command =
  | "row"
  | "syntax"
  | "plan"
  | "run"
  | "begin"
  | "end"
  | "copy"
  | "copy any"
  | "copy early"
  | "copy late"
  | "missing";

type Commands = Readonly<Record<string, Command>>;

/** What the same statements may be on a server that differs, kind by kind. */
const OTHERWISE: readonly (readonly Command[])[] = [
  ["row", "syntax", "plan", "run"],
  ["copy", "copy any", "copy early", "copy late", "missing"],
];

/** Another server's: one that has not got the same tables, or rows. */
export function differing(random: () => number): Commands {
  return Object.fromEntries(
    Object.entries(COMMANDS).map(([sql, command]) => {
      const others = OTHERWISE.find((kind) => kind.includes(command));
      if (others === undefined || random() < 0.5) return [sql, command];
      return [sql, others[Math.floor(random() * others.length)] ?? command];
    }),
  );
}

/** Statements by what the model knows of them. */
export const STATEMENTS = Object.keys(COMMANDS);
export const COPIES = STATEMENTS.filter((sql) => sql.startsWith("copy"));
/** What the statements find. */
export const COPY_TABLES = `
create table ct (a int);
create table cx (a text);
create view cv as select * from ct;
create function no() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
create table cs (a int);
create trigger s before insert on cs for each statement execute function no();
create table ca (a int);
create trigger a after insert on ca for each statement execute function no();
`;
export const BAD_LINE = "x\n";
/** Ends the data before CopyDone does: what stands between the two is not looked at. */
export const LAST_LINE = "\\.\n";

/** A message that the server has acted on: it was not skipped, not swallowed, not ignored. */
export interface Act {
  readonly from: number;
  readonly to: number;
  /** Position of the ReadyForQuery that answers it. */
  readonly ready: number;
}

/**
 * PostgreSQL's reading of messages, written down from tcop/postgres.c and
 * commands/copyfromparse.c, for statements whose outcome is known. A real
 * server gives the same answers: {@linkcode runCopies}.
 */
export class CopyServer {
  readonly acts: Act[] = [];
  /** Types of all answers. */
  answers = "";
  ready = 0;
  readonly #framer = new Framer();
  #body: Uint8Array[] = [];
  #position = 0;
  #from = 0;
  #block: "I" | "T" | "E" = "I";
  #skipping = false;
  #copy: Command | undefined;
  #copyByQuery = false;
  /** The copy has read its last line. */
  #copyOver = false;
  /** The last Parse's statement. */
  #parsed = "";
  /** Commands of the Query under way. */
  #left: string[] = [];
  #out: Uint8Array[] = [];
  readonly #commands: Commands;

  constructor(commands = COMMANDS) {
    this.#commands = commands;
  }

  /** Takes bytes. @returns the answers. */
  take(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    this.#out = [];
    for (let at = 0; at < bytes.length;) {
      const from = at;
      const begins = this.#framer.atBoundary;
      if (begins) this.#from = this.#position;
      at = this.#framer.step(bytes, at, bytes.length);
      this.#position += at - from;
      this.#body.push(bytes.slice(this.#framer.bodyStart, at));
      if (!this.#framer.finished) continue;
      const body = decoder.decode(concat(this.#body));
      this.#body = [];
      this.#message(String.fromCharCode(this.#framer.type), body);
    }
    return concat(this.#out);
  }

  #message(type: string, body: string): void {
    if (this.#copy !== undefined) return this.#read(type, body);
    if (this.#skipping && type !== "S") return;
    switch (type) {
      case "Q":
        this.#act();
        this.#left = body.slice(0, -1).split("; ");
        if (this.#left.some((sql) => this.#commands[sql] === "syntax")) {
          this.#fail(false);
          return this.#readyForQuery();
        }
        return this.#goOn();
      case "F":
        this.#act();
        // int4div: by zero, or not.
        if (this.#block === "E" || body.includes("\u00010")) this.#fail(false);
        else this.#say("V", int32(1), "1");
        return this.#readyForQuery();
      case "P":
        this.#act();
        this.#parsed = body.split("\0")[1] ?? "";
        return this.#isRefused(this.#parsed) ||
            this.#commands[this.#parsed] === "syntax"
          ? this.#fail(true)
          : this.#say("1");
      case "B":
        this.#act();
        return this.#commands[this.#parsed] === "plan"
          ? this.#fail(true)
          : this.#say("2");
      case "D":
        this.#act();
        return ["row", "run"].includes(this.#commands[this.#parsed] ?? "")
          ? this.#say("T", int16(0))
          : this.#say("n");
      case "E":
        this.#act();
        this.#execute(this.#parsed, false);
        return;
      case "S":
        this.#act();
        this.#skipping = false;
        this.#readyForQuery();
    }
  }

  /** In copy mode. */
  #read(type: string, body: string): void {
    if (type === "d" || type === "c" || type === "f") this.#act();
    const copy = this.#copy;
    const isBad = type === "d" && body === BAD_LINE &&
      copy !== "copy any" && !this.#copyOver;
    if (type === "d" && body === LAST_LINE) this.#copyOver = true;
    const failed = type === "f" || isBad ||
      type === "c" && copy === "copy late";
    if (!failed && type !== "c") {
      if (!"dHS".includes(type)) throw new Error(`${type} in copy mode`);
      return;
    }
    this.#copy = undefined;
    if (failed) {
      this.#fail(!this.#copyByQuery, type === "f" ? "57014" : "22P02");
    } else this.#say("C", "COPY 1\0");
    if (!this.#copyByQuery) return;
    if (failed) this.#readyForQuery();
    else this.#goOn();
  }

  /** The rest of a Query. */
  #goOn(): void {
    for (;;) {
      const sql = this.#left.shift();
      if (sql === undefined) return this.#readyForQuery();
      if (this.#isRefused(sql) || this.#commands[sql] === "plan") {
        this.#fail(false);
        return this.#readyForQuery();
      }
      const outcome = this.#execute(sql, true);
      if (outcome === "copying") return;
      if (outcome === "failed") return this.#readyForQuery();
    }
  }

  #execute(sql: string, byQuery: boolean): "done" | "failed" | "copying" {
    const command = this.#commands[sql];
    switch (command) {
      case "row":
        if (byQuery) this.#say("T", int16(0));
        this.#say("D", int16(0));
        this.#say("C", "SELECT 1\0");
        return "done";
      case "begin":
        this.#block = "T";
        this.#say("C", "BEGIN\0");
        return "done";
      case "end":
        this.#block = "I";
        this.#say("C", "ROLLBACK\0");
        return "done";
      case "copy":
      case "copy any":
      case "copy early":
      case "copy late":
        this.#say("G", "\0", int16(0));
        this.#copyByQuery = byQuery;
        this.#copyOver = false;
        if (command !== "copy early") {
          this.#copy = command;
          return "copying";
        }
        break;
      case "run":
        if (byQuery) this.#say("T", int16(0));
    }
    this.#fail(!byQuery);
    return "failed";
  }

  /** In a failed block only its end is accepted. */
  #isRefused(sql: string): boolean {
    return this.#block === "E" && this.#commands[sql] !== "end";
  }

  #fail(skips: boolean, sqlstate = "22012"): void {
    if (this.#block === "T") this.#block = "E";
    this.#skipping = skips;
    this.#say("E", `SERROR\0VERROR\0C${sqlstate}\0\0`);
  }

  #act(): void {
    this.acts.push({
      from: this.#from,
      to: this.#position,
      ready: this.ready,
    });
  }

  #readyForQuery(): void {
    this.#left = [];
    this.ready++;
    this.#say("Z", this.#block);
  }

  #say(type: string, ...body: (string | Uint8Array)[]): void {
    this.answers += type;
    if (type === "Z") this.answers += body[0];
    this.#out.push(message(type, ...body));
  }
}
