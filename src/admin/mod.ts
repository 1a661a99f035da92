/**
 * The admin console: a listener that speaks the PostgreSQL protocol, and its
 * table of commands.
 *
 * @module
 */

export { adminCommands } from "./commands.ts";
export { type AdminOptions, type AdminServer, startAdmin } from "./server.ts";
export type {
  AdminSources,
  ClientRow,
  ConfigRow,
  DatabaseRow,
  PluginRow,
  ServerRow,
  StatsRow,
} from "./sources.ts";
