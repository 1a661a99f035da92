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

/** Debian's packages of the programs that are not this project's. */
const PACKAGES: Readonly<Record<string, string>> = {
  haproxy: "haproxy",
  openssl: "openssl",
  pgbench: "postgresql-15",
  pgbouncer: "pgbouncer",
};

/** The line that says what to install. */
export function isMissing(program: string): string {
  const name = PACKAGES[program];
  return name === undefined
    ? `"${program}" is not there, or can't be run`
    : `"${program}" is not installed: apt-get install ${name}`;
}

/**
 * Runs a program to its end.
 *
 * @throws {Error} with its words if it fails, or the Debian package that is missing.
 */
export async function runProgram(
  name: string,
  args: readonly string[],
): Promise<string> {
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(name, {
      args: [...args],
      env: { PGPASSWORD: "", PGCONNECT_TIMEOUT: "10" },
    }).output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(isMissing(name));
  }
  const { code, stdout, stderr } = output;
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
