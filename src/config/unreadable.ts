/** Why a file can't be read, and what to do about it, after its name and a colon. */
export function whyUnreadable(error: unknown, path: string): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.PermissionDenied) {
    const user = Deno.uid();
    return `user ${user} may not read it; run: chown ${user} ${path}`;
  }
  return `can't be read: ${error instanceof Error ? error.message : error}`;
}
