/** Waits for all, or `ms`. True if all are settled. */
export async function settled(
  promises: readonly Promise<unknown>[],
  ms: number,
): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const result = await Promise.race([
    Promise.allSettled(promises).then(() => true),
    timeout,
  ]);
  clearTimeout(timer);
  return result;
}
