import assert from "node:assert/strict";
import {
  BOUNDS,
  CYCLE_WORDS,
  RecordList,
  STATEMENT_WORDS,
} from "../../src/record/mod.ts";

for (const entryWords of [CYCLE_WORDS, STATEMENT_WORDS]) {
  Deno.test(`RecordList of ${entryWords} words: keeps what was written, gives back what it was lent, ends at its bound`, () => {
    const list = new RecordList(entryWords);
    for (let round = 0; round < 3; round++) {
      const room = entryWords === CYCLE_WORDS
        ? BOUNDS.recordCycles
        : BOUNDS.recordStatements;
      for (let word = 0; word < room * entryWords; word++) {
        if (word === list.words.length) list.grow();
        list.words[word] = word;
      }
      for (let word = 0; word < room * entryWords; word++) {
        assert.equal(list.words[word], word);
      }
      assert.ok(list.heldBytes > 10_000);
      list.rest();
      assert.ok(list.heldBytes <= BOUNDS.restBytes, `${list.heldBytes}`);
    }
    assert.throws(() => {
      for (;;) list.grow();
    }, RangeError);
  });
}

Deno.test("RecordList: two that are long at once are lent different rooms", () => {
  const [a, b] = [new RecordList(12), new RecordList(12)];
  for (let i = 0; i < 3; i++) {
    for (const list of [a, b]) {
      while (list.heldBytes < 10_000) list.grow();
    }
    assert.notEqual(a.words, b.words);
    a.rest();
    a.rest();
    b.rest();
  }
});
