/** Established TCP connections of this machine to or from a port: tests share their process's descriptors, but no port. */
export function connections(port: number): number {
  const hex = `:${port.toString(16).toUpperCase().padStart(4, "0")} `;
  const established = " 01 ";
  return Deno.readTextFileSync("/proc/net/tcp").split("\n")
    .filter((line) => line.includes(hex) && line.includes(established)).length;
}
