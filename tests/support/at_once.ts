/**
 * For a test whose steps run beside each other: Deno tells what a step leaks by
 * what is there before it and after it.
 */
export const STEPS_AT_ONCE = {
  sanitizeOps: false,
  sanitizeResources: false,
  sanitizeExit: false,
} as const;

/**
 * Runs so many at a time, in their order. All of them end, whoever fails.
 *
 * @throws what the first of them in that order threw.
 */
export async function atOnce<T>(
  count: number,
  items: readonly T[],
  run: (item: T) => Promise<unknown>,
): Promise<void> {
  const failures: PromiseSettledResult<unknown>[] = [];
  let next = 0;
  await Promise.all(Array.from({ length: count }, async () => {
    for (let i = next++; i < items.length; i = next++) {
      // i < length
      [failures[i]] = await Promise.allSettled([run(items[i] as T)]);
    }
  }));
  const first = failures.find(({ status }) => status === "rejected");
  if (first?.status === "rejected") throw first.reason;
}
