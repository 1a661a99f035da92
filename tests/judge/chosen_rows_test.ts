import assert from "node:assert/strict";
import { differenceInRow } from "../../src/judge/chosen_rows.ts";
import type { Answer } from "../../src/judge/answer.ts";
import { concat, int16, int32 } from "../support/wire_client.ts";

const encoder = new TextEncoder();

function answer(...rows: (string | null)[][]): Answer {
  return {
    rows: rows.map((cells) =>
      concat([
        int16(cells.length),
        ...cells.flatMap((cell) =>
          cell === null
            ? [int32(-1)]
            : [int32(cell.length), encoder.encode(cell)]
        ),
      ])
    ),
    hasCells: true,
    error: undefined,
  };
}

Deno.test("differenceInRow: a row of both with another value is found, whichever else were chosen", () => {
  const primary = answer(["a", "1", "x"], ["b", "2", "x"]);
  const find = (mirror: Answer) => differenceInRow(primary, mirror, [1, 0]);
  assert.equal(find(answer(["c", "3", "x"], ["b", "2", "y"])), undefined);
  assert.equal(find(answer(["c", "3", "x"], ["d", "4", "x"])), undefined);
  assert.equal(find(answer(["c", null, "x"])), undefined);
  const found = find(answer(["c", "3", "x"], ["z", "2", "x"]));
  assert.ok(found?.kind === "different" && found.difference.kind === "value");
  assert.deepEqual([found.difference.row, found.difference.column], [2, 1]);
});
