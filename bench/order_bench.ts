/**
 * What the order of replay costs for each transaction while so many lanes wait,
 * each for the one before it in one of eight relations.
 *
 * ```
 * deno bench -A --no-check bench/order_bench.ts
 * ```
 *
 * @module
 */

import { Writes } from "../src/judge/mod.ts";
import { CommitOrder } from "../src/replay/commit_order.ts";
import type { OrderedTransaction, Place, Turn } from "../src/replay/place.ts";

const RELATIONS = 8;
const WRITES = new Writes();
const TIMES = 100;

for (const lanes of [16, 1_024, 4_096]) {
  const order = new CommitOrder();
  const open: OrderedTransaction[] = [];
  let first = 0;
  let us = 0;
  const add = () => {
    us += 10;
    const place = placeOf(us, us / 10 % RELATIONS);
    const lane = { heardUs: 0, expectedUs: 0, onWanted() {} };
    open.push(order.begin(place, lane));
    const turn = turnOf(us, place);
    if (!order.isTurn(turn)) order.wait(lane, turn, () => {});
  };
  for (let i = 0; i < lanes; i++) add();
  Deno.bench(
    `order: ${TIMES} transactions come and end, ${lanes} lanes`,
    () => {
      for (let i = 0; i < TIMES; i++) {
        order.end(open[first++] as OrderedTransaction); // one comes for each
        add();
      }
      open.splice(0, first);
      first = 0;
    },
  );
}

function placeOf(us: number, relation: number): Place {
  return {
    startUs: us - 5,
    earliestUs: us - 5,
    endUs: us,
    key: us,
    writes: WRITES,
    written: [`r${relation}`],
    refused: undefined,
    read: undefined,
  };
}

function turnOf(us: number, { written }: Place): Turn {
  return {
    committedBeforeUs: us - 1,
    completedBeforeUs: us - 5,
    refusedBeforeUs: us - 1,
    key: us,
    touched: written,
    written,
    defines: false,
  };
}
