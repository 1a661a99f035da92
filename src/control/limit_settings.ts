import type { Config } from "../config/mod.ts";
import type { LimitSettings } from "../proxy/client_limits.ts";

/** How many clients may be there, as configured. */
export function limitSettings(config: Config): LimitSettings {
  const { general, databases, users } = config;
  const limits = (
    entries: readonly {
      readonly name: string;
      readonly max_clients?: number | undefined;
    }[],
  ) =>
    Object.fromEntries(
      entries.flatMap(({ name, max_clients: max }) =>
        max === undefined ? [] : [[name, max]]
      ),
    );
  return {
    clients: general.max_clients,
    perDatabase: general.max_database_clients,
    perUser: general.max_user_clients,
    databases: limits(databases),
    users: limits(users),
  };
}
