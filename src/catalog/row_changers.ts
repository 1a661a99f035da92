import type { Nature } from "../sql/mod.ts";
import {
  changesOf,
  type RowChanges,
  together,
  type TriggerFunction,
} from "./trigger_changes.ts";

/** A trigger that may change a row before it is written, or a rule that answers instead. */
interface Changer {
  readonly functionOid: string;
  /** The trigger's first argument. */
  readonly argument: string;
}

/** The triggers and rules by which a written row is another than the client's. */
export class RowChangers {
  readonly #natureOf: (text: string) => Nature | undefined;
  readonly #changers = new Map<string, Changer[]>();
  /** By OID. */
  readonly #functions = new Map<string, TriggerFunction>();

  /** @param natureOf what a part of a text gives. */
  constructor(natureOf: (text: string) => Nature | undefined) {
    this.#natureOf = natureOf;
  }

  /** @param relation by its OID. No function has the OID of a rule. `args` as encode() escapes them. */
  add(relation: string, functionOid: string, args: string): void {
    // Each argument ends with a NUL.
    const [argument = ""] = args.split("\\000");
    const changers = this.#changers.get(relation);
    if (changers === undefined) {
      this.#changers.set(relation, [{ functionOid, argument }]);
    } else changers.push({ functionOid, argument });
  }

  /** @param called its language and its name. */
  addFunction(oid: string, called: string, body: string): void {
    const [language = "", ...words] = called.split(" ");
    this.#functions.set(oid, { language, name: words.join(" "), body });
  }

  /** What happens to the rows of all `relations`; undefined: nothing. */
  changesOf(relations: Iterable<string>): RowChanges | undefined {
    let changes: RowChanges | undefined;
    for (const relation of relations) {
      for (const changer of this.#changers.get(relation) ?? []) {
        changes = together(changes, this.#changesBy(changer));
      }
    }
    return changes;
  }

  #changesBy({ functionOid, argument }: Changer): RowChanges {
    const called = this.#functions.get(functionOid);
    return called === undefined
      ? "all"
      : changesOf(called, argument, this.#natureOf);
  }
}
