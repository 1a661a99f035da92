/**
 * The admin console: a listener that speaks the PostgreSQL protocol, and its
 * table of commands.
 *
 * @module
 */

export { AdminError, SQLSTATE } from "./admin_error.ts";
export {
  type AdminControl,
  type ControlCommand,
  controlCommands,
} from "./control.ts";
export { adminCommands } from "./commands.ts";
export { type AdminOptions, type AdminServer, startAdmin } from "./server.ts";
export { type AdminLogin, checkLogin } from "./login.ts";
export type {
  AdminSources,
  ClientRow,
  ConfigRow,
  DatabaseRow,
  PluginRow,
  ServerRow,
  StatsRow,
} from "./sources.ts";
