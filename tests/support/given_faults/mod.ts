/**
 * What the mirror is given while something goes wrong: clients that use keys
 * which the server makes, a fault in the middle, and both servers compared.
 *
 * @module
 */

export {
  type FaultOptions,
  type FaultResult,
  runFault,
  VALUES,
} from "./run.ts";
