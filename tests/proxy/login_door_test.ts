import assert from "node:assert/strict";
import {
  LoginDoor,
  MAX_ADDRESS_LOGINS,
  MAX_CONSOLE_LOGINS,
  MAX_LOGINS,
} from "../../src/proxy/login_door.ts";
import {
  ClientState,
  ConnectionTable,
  createConnectionTable,
} from "../../src/stats/connection_table.ts";

/** More than this process has. */
const MAX_DESCRIPTORS = 1e6;

/** A worker's door, at which clients come from numbered addresses. */
function doorOf(rows = 2 * MAX_LOGINS) {
  const clients = new ConnectionTable(createConnectionTable(rows));
  let shortages = 0;
  const door = new LoginDoor(clients, {
    maxDescriptors: () => MAX_DESCRIPTORS,
    onShort: () => shortages++,
  });
  const closed: number[] = [];
  const come = (address: number, fd = 7) => {
    const row = door.open(fd, `10.0.0.${address}`, 1, 0);
    door.closeBy(row, () => {
      closed.push(row);
      clients.close(row);
    });
    return row;
  };
  return { clients, door, come, closed, shortages: () => shortages };
}

Deno.test("LoginDoor: one address can't take the place of the others", () => {
  const { clients, door, come } = doorOf();
  const rows = Array.from({ length: MAX_ADDRESS_LOGINS }, () => come(1));
  assert.ok(!rows.some((row) => !door.letsThrough(row)));
  assert.ok(!door.letsThrough(come(1)));
  assert.ok(door.letsThrough(come(2)));
  clients.setState(rows[0] as number, ClientState.idle);
  assert.ok(door.letsThrough(come(1)), "one has logged in");
  clients.close(rows[1] as number);
  assert.ok(door.letsThrough(come(1)), "one has gone");
  assert.ok(!door.letsThrough(come(1)));
});

Deno.test("LoginDoor: beyond the bound for all, the console may still be asked for, and the oldest makes room", () => {
  const { clients, door, come, closed } = doorOf();
  for (let i = 0; i < MAX_LOGINS; i++) come(i);
  const reserved = Array.from({ length: MAX_CONSOLE_LOGINS }, () => come(9999));
  assert.ok(reserved.every((row) => !door.letsThrough(row)));
  assert.deepEqual(closed, []);
  // A console's session is none of them any more.
  clients.setState(reserved[1] as number, ClientState.idle);
  come(9999);
  assert.deepEqual(closed, []);
  come(9999);
  come(9999);
  assert.deepEqual(closed, [reserved[0], reserved[2]]);
  assert.equal(clients.logins, MAX_LOGINS + MAX_CONSOLE_LOGINS);
});

Deno.test("LoginDoor: without descriptors for clients the console may still be asked for", () => {
  const { door, come, shortages } = doorOf();
  assert.ok(door.letsThrough(come(1, MAX_DESCRIPTORS - 1)));
  assert.equal(shortages(), 0);
  assert.ok(!door.letsThrough(come(1, MAX_DESCRIPTORS)));
  assert.ok(!door.letsThrough(come(1, MAX_DESCRIPTORS)));
  assert.equal(shortages(), 1, "told of once");
});

Deno.test("LoginDoor: a full table lets nobody in", () => {
  const { come } = doorOf(1);
  assert.equal(come(1), 0);
  assert.equal(come(1), -1);
});
