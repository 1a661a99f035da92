import { list, type Node } from "./tree.ts";

const known = new WeakMap<Node, Targets>();

/** The targets of a SELECT, found by their names and their places: however many keys ask, they are listed once. */
export class Targets {
  readonly all: readonly Node[];
  readonly #named = new Map<unknown, Node>();

  private constructor(select: Node) {
    this.all = list(select.targetList).map(({ ResTarget }) =>
      ResTarget as Node
    );
    for (const target of this.all) {
      // Of several the first one counts.
      if (target.name === undefined || this.#named.has(target.name)) continue;
      this.#named.set(target.name, target);
    }
  }

  static of(select: Node): Targets {
    let targets = known.get(select);
    if (targets === undefined) {
      known.set(select, targets = new Targets(select));
    }
    return targets;
  }

  /** The expression in a place from 1 on, or from -1 backwards from the last. */
  at(place: number): unknown {
    return this.all.at(place < 0 ? place : place - 1)?.val;
  }

  /** The expression that has a name. */
  named(name: string): unknown {
    return this.#named.get(name)?.val;
  }
}
