/**
 * The plugin interface and what runs it.
 *
 * @module
 */

export type * from "./api.ts";
export { PluginError, type PluginState } from "./fenced_plugin.ts";
export {
  PluginHost,
  type PluginHostOptions,
  type PluginStatus,
  type PreparedTables,
} from "./host.ts";
export { loadProbes, type ProbeFailed, ProbeSet } from "./probe_set.ts";
