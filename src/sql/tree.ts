/** A node of libpg_query's tree. */
export type Node = Readonly<Record<string, unknown>>;

/** The last part of a name: `pg_catalog.now` is `now`. */
export function lastName(parts: unknown): string {
  const last = (parts as Node[] | undefined)?.at(-1) as
    | { String?: { sval?: string } }
    | undefined;
  return last?.String?.sval ?? "";
}

/** A node's type and its fields. */
export function unwrap(node: unknown): readonly [type: string, fields: Node] {
  return (Object.entries((node ?? {}) as Node)[0] ?? ["", {}]) as [
    string,
    Node,
  ];
}

/** A list of nodes, which the tree leaves out when it is empty. */
export function list(nodes: unknown): readonly Node[] {
  return Array.isArray(nodes) ? nodes : [];
}

/** A column's name alone: `t.a` is `a`; other expressions are what they say. */
export function bare(expression: unknown): string {
  const [type, fields] = unwrap(expression);
  return type === "ColumnRef" ? lastName(fields.fields) : exactText(expression);
}

/** What an expression says, wherever it stands. */
export function exactText(expression: unknown): string {
  return JSON.stringify(
    expression,
    (key, value) => key === "location" ? undefined : value,
  );
}
