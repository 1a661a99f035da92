import { lastName, list, type Node, unwrap } from "./tree.ts";
import { chanceOf } from "./updating.ts";
import { natureOfCall } from "./volatile.ts";

/** What is known of the output columns of a query whose rows are inserted, by place. */
export interface QueryOutputs {
  /** A literal or a parameter by itself: the column that it goes into says of which type it is. */
  readonly untyped: readonly number[];
  /** The numbers of such parameters. */
  readonly parameters: ReadonlyMap<number, number>;
  /** Decided by chance, and by no row. */
  readonly chances: readonly number[];
  /** Those of them that draw from a sequence. */
  readonly draws: readonly number[];
  /** Chance may have a part in it. */
  readonly unsure: readonly number[];
}

/**
 * Reads the outputs of a query that is put into another one.
 *
 * @param width how many of them go into columns.
 * @returns undefined where they can't be told, or would be of another type there.
 */
export function queryOutputs(
  selectStmt: unknown,
  width: number,
): QueryOutputs | undefined {
  const outputs = {
    untyped: [] as number[],
    parameters: new Map<number, number>(),
    chances: [] as number[],
    draws: [] as number[],
    unsure: [] as number[],
  };
  const [, { op }] = unwrap(selectStmt);
  for (const targets of targetLists(selectStmt)) {
    const places = targets.length === 1 && isStar(targets[0])
      ? []
      : targets.map((target) => (unwrap(target)[1] as Node).val);
    // Which columns stand behind a star is not known.
    if (places.some(isStarColumn)) return undefined;
    if (places.length > 0 && places.length !== width) return undefined;
    places.forEach((value, place) => {
      const chance = chanceOf(value);
      if (op === "SETOP_NONE" && chance !== undefined) {
        outputs.chances.push(place);
        if (chance === "sequence") outputs.draws.push(place);
      }
      if (mayBeChance(value)) outputs.unsure.push(place);
      // Those of a UNION are of text wherever it stands.
      const [type, { number }] = unwrap(value);
      if (op !== "SETOP_NONE" || !UNTYPED.has(type)) return;
      outputs.untyped.push(place);
      if (type === "ParamRef") outputs.parameters.set(place, Number(number));
    });
  }
  return outputs;
}

const UNTYPED = new Set(["A_Const", "ParamRef"]);

/** Of a query, and of each part of a UNION. */
function targetLists(selectStmt: unknown): readonly (readonly Node[])[] {
  const [, { op, larg, rarg, targetList, valuesLists }] = unwrap(selectStmt);
  if (op !== undefined && op !== "SETOP_NONE") {
    return [larg, rarg].flatMap((part) => targetLists({ SelectStmt: part }));
  }
  if (valuesLists === undefined) return [list(targetList)];
  return list(valuesLists).map((row) =>
    list(unwrap(row)[1].items).map((val) => ({ ResTarget: { val } }))
  );
}

function isStar(target: Node | undefined): boolean {
  return isStarColumn((unwrap(target)[1] as Node).val);
}

function isStarColumn(value: unknown): boolean {
  const [type, { fields }] = unwrap(value);
  return type === "ColumnRef" && unwrap(list(fields).at(-1))[0] === "A_Star";
}

/** Whether anything in it is made by chance, as far as it is known here. */
function mayBeChance(node: unknown): boolean {
  if (typeof node !== "object" || node === null) return false;
  return Object.entries(node).some(([type, inner]) => {
    if (type === "SQLValueFunction") return true;
    if (type === "FuncCall") {
      const { funcname, args } = inner as Node;
      // Numbers of a window's rows are chance where rows are alike.
      const isWindow = (inner as Node).over !== undefined;
      const nature = natureOfCall(lastName(funcname), list(args).length);
      if (isWindow || nature !== undefined) return true;
    }
    return mayBeChance(inner);
  });
}
