import v8 from "node:v8";
import vm from "node:vm";

/** Once all is collected that nobody refers to: what a WeakRef still finds is held by somebody. */
export async function collected(): Promise<void> {
  v8.setFlagsFromString("--expose-gc");
  // A WeakRef keeps its target until the turn in which it was made is over.
  await new Promise((resolve) => setTimeout(resolve, 0));
  (vm.runInNewContext("gc") as () => void)();
}
