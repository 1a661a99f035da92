import assert from "node:assert/strict";
import { tagHash } from "../../src/record/mod.ts";
import { tagCountAt, tagHashAt } from "../../src/record/tags.ts";

Deno.test("tagHashAt, tagCountAt: a command's words and its row count, wherever the tag stands", () => {
  const tags:
    readonly (readonly [text: string, words: string, rows: number])[] = [
      ["SELECT 5", "SELECT", 5],
      ["INSERT 0 17", "INSERT", 17],
      ["INSERT 16384 1", "INSERT", 1],
      ["BEGIN", "BEGIN", 0],
      ["CREATE TABLE AS", "CREATE TABLE AS", 0],
      ["COPY 4294967295", "COPY", 4_294_967_295],
      ["COPY 99999999999", "COPY", 4_294_967_295],
      ["UPDATE 0", "UPDATE", 0],
      ["SELECT ", "SELECT", 0],
      ["", "", 0],
      ["12", "", 12],
    ];
  for (const [text, words, rows] of tags) {
    for (const end of ["\0", ""]) {
      // What stands around it is none of it.
      const bytes = new TextEncoder().encode(`9X${text}${end}9Y`);
      const to = bytes.length - 2;
      assert.equal(tagHashAt(bytes, 2, to), tagHash(words), text);
      assert.equal(tagCountAt(bytes, 2, to), rows, text);
    }
  }
});
