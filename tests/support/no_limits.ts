import type { LimitSettings } from "../../src/proxy/client_limits.ts";

/** As many clients as come. */
export const NO_LIMITS: LimitSettings = {
  clients: 0,
  perDatabase: 0,
  perUser: 0,
  databases: {},
  users: {},
};
