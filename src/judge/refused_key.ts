import { decodeErrorFields } from "../wire/mod.ts";
import { readAnswer } from "./answer.ts";

/** The key that a server has refused a row for. */
export interface RefusedKey {
  readonly schema: string;
  /** With the unique index, or with the reference. */
  readonly relation: string;
  /** Its columns, or what else it is of. */
  readonly columns: readonly string[];
  /** The other relation has no such key, or still needs it. */
  readonly isReference: boolean;
}

/** `Key (a, b)=(1, 2) already exists.`, in any language. */
const KEY = /\(([^]*?)\)=\(/;

/** Reads what an error says of a key; undefined: it is of none, or the user may not see it. */
export function readRefusedKey(answer: Uint8Array): RefusedKey | undefined {
  const { error } = readAnswer(answer);
  if (error === undefined) return undefined;
  const { C, D = "", s: schema, t: relation } = decodeErrorFields(error);
  const [, key] = KEY.exec(D) ?? [];
  if (key === undefined || schema === undefined || relation === undefined) {
    return undefined;
  }
  return {
    schema,
    relation,
    columns: key.split(", "),
    isReference: C === "23503",
  };
}
