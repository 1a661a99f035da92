/**
 * Configuration: the TOML file, the environment, their checks.
 *
 * @module
 */

export {
  type Change,
  changesBetween,
  isChangeable,
  withFixedKeys,
} from "./changeable.ts";
export {
  loadConfig,
  type Loaded,
  type LoadOptions,
  parseConfig,
} from "./load.ts";
export {
  readTlsFiles,
  type ServerTls,
  type TlsFiles,
  type TlsIdentity,
  type TlsMaterial,
} from "./tls_files.ts";
export { usesTls } from "./tls_settings.ts";
export type { KeyPath } from "./positions.ts";
export { ConfigError, formatProblem, type Problem } from "./problems.ts";
export {
  type Config,
  configSchema,
  type Database,
  databasesOf,
  type General,
  TABLES,
  type User,
} from "./schema.ts";
