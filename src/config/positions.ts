/**
 * Finds the lines of TOML keys: the parser reads values well but forgets where
 * they stood. Bare, quoted and dotted keys, tables and arrays of tables;
 * multi-line strings are skipped.
 *
 * @module
 */

/** A key's path: names, and the index of each array-of-tables element. */
export type KeyPath = readonly (string | number)[];

/** Line numbers (from 1) by path. */
export class Positions {
  readonly #lines = new Map<string, number>();

  constructor(text: string) {
    const counts = new Map<string, number>();
    let table: (string | number)[] = [];
    let open: string | undefined;
    text.split("\n").forEach((line, index) => {
      if (open !== undefined) {
        if (line.includes(open)) open = undefined;
        return;
      }
      const array = line.match(/^\s*\[\[([^\]]+)\]\]/);
      const single = line.match(/^\s*\[([^[\]]+)\]/);
      if (array?.[1] !== undefined) {
        const names = keyNames(array[1]);
        const count = counts.get(names.join(".")) ?? 0;
        counts.set(names.join("."), count + 1);
        table = [...names, count];
        this.#set(names, index + 1);
        this.#set(table, index + 1);
      } else if (single?.[1] !== undefined) {
        table = keyNames(single[1]);
        this.#set(table, index + 1);
      } else {
        const key = line.match(
          /^\s*((?:[\w-]+|"[^"]*"|'[^']*'|\s*\.\s*)+?)\s*=(.*)$/,
        );
        if (key?.[1] === undefined) return;
        this.#set([...table, ...keyNames(key[1])], index + 1);
        const quotes = key[2]?.match(/"""|'''/)?.[0];
        if (quotes !== undefined && key[2]?.split(quotes).length === 2) {
          open = quotes;
        }
      }
    });
  }

  /** The line of the key, or of the nearest table around it; 1 if there is none. */
  line(path: KeyPath): number {
    for (let length = path.length; length > 0; length--) {
      const line = this.#lines.get(JSON.stringify(path.slice(0, length)));
      if (line !== undefined) return line;
    }
    return 1;
  }

  #set(path: KeyPath, line: number): void {
    const id = JSON.stringify(path);
    if (!this.#lines.has(id)) this.#lines.set(id, line);
  }
}

function keyNames(text: string): string[] {
  return [...text.matchAll(/"([^"]*)"|'([^']*)'|([\w-]+)/g)]
    .map(([, double, single, bare]) => double ?? single ?? bare ?? "");
}

/** `databases[1].host`. */
export function keyText(path: KeyPath): string {
  return path.reduce<string>(
    (text, part) =>
      typeof part === "number"
        ? `${text}[${part}]`
        : text === ""
        ? part
        : `${text}.${part}`,
    "",
  );
}
