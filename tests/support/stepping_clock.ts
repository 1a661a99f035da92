/**
 * Preloaded into a program: its wall clock is wrong by as many milliseconds as
 * the file of `CLOCK_OFFSET_FILE` says, which may change at any time.
 *
 * @module
 */

const file = Deno.env.get("CLOCK_OFFSET_FILE");
if (file === undefined) throw new Error("CLOCK_OFFSET_FILE is not set");
const right = Date.now;
Date.now = () => right() + Number(Deno.readTextFileSync(file));
