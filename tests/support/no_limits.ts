import type { LimitSettings } from "../../src/proxy/client_limits.ts";
import { LoginDoor } from "../../src/proxy/login_door.ts";
import type { ConnectionTable } from "../../src/stats/connection_table.ts";

/** As many clients as come. */
export const NO_LIMITS: LimitSettings = {
  clients: 0,
  perDatabase: 0,
  perUser: 0,
  databases: {},
  users: {},
};

/** A door with descriptors for everybody. */
export function openDoor(clients: ConnectionTable): LoginDoor {
  return new LoginDoor(clients, {
    maxDescriptors: () => Infinity,
    onShort() {},
  });
}
