/**
 * Whether Debian's PostgreSQL programs are here. A test that needs one is
 * ignored without it on a developer's machine, and fails in CI.
 */
export function hasProgram(name: string): boolean {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    try {
      if (Deno.statSync(`${folder}/${name}`).isFile) return true;
    } catch {
      // Not in this one.
    }
  }
  if (Deno.env.get("CI") !== undefined) {
    throw new Error(`"${name}" is not installed, and nothing is skipped in CI`);
  }
  return false;
}

/** Runs a program to its end. @throws {Error} with its words if it fails. */
export async function runProgram(
  name: string,
  args: readonly string[],
): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(name, {
    args: [...args],
    env: { PGPASSWORD: "", PGCONNECT_TIMEOUT: "10" },
  }).output();
  const decoder = new TextDecoder();
  if (code !== 0) {
    throw new Error(`${name} exited with ${code}: ${decoder.decode(stderr)}`);
  }
  return decoder.decode(stdout) + decoder.decode(stderr);
}

/** Debian's, which has Debian's modules; another may come before it in PATH. */
export const PYTHON = "/usr/bin/python3";

/** Whether Debian's Python has a module, under the same rule as {@linkcode hasProgram}. */
export async function hasPythonModule(name: string): Promise<boolean> {
  if (!hasProgram("python3")) return false;
  const { success } = await new Deno.Command(PYTHON, {
    args: ["-c", `import ${name}`],
  }).output();
  if (!success && Deno.env.get("CI") !== undefined) {
    throw new Error(
      `Python's "${name}" is not installed, and nothing is skipped in CI`,
    );
  }
  return success;
}
