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
export function hasPythonModule(name: string): Promise<boolean> {
  return isInstalled(`Python's ${name}`, [PYTHON, "-c", `import ${name}`]);
}

/**
 * Whether something is here that is more than a program in a folder, under
 * the same rule as {@linkcode hasProgram}.
 *
 * @param check a command that fails without it.
 */
export async function isInstalled(
  name: string,
  [program = "", ...args]: readonly string[],
): Promise<boolean> {
  const command = new Deno.Command(program, { args });
  const success = await command.output().then(
    (output) => output.success,
    () => false,
  );
  if (!success && Deno.env.get("CI") !== undefined) {
    throw new Error(`"${name}" is not installed, and nothing is skipped in CI`);
  }
  return success;
}
