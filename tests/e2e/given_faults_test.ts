import assert from "node:assert/strict";
import {
  type FaultOptions,
  type FaultResult,
  runFault,
  VALUES,
} from "../support/given_faults/mod.ts";
import { onServer } from "../support/on_server.ts";
import { waitFor } from "../support/wait.ts";

/** Steps of all clients together. */
const SOME = 40;

const NOTHING_WRONG: FaultResult = {
  wrong: [],
  behind: [],
  own: [],
  unexpected: [],
  open: 0,
  fresh: "equal",
};

/** What goes wrong while clients work. */
const FAULTS: readonly (Pick<FaultOptions, "general" | "slow" | "isDown"> & {
  readonly name: string;
  /** Default: all. */
  readonly values?: readonly string[];
  readonly fault: FaultOptions["fault"];
})[] = [
  {
    name: "a primary that stands still for moments",
    async fault({ primary, steps }) {
      for (let i = 0; i < 20; i++) {
        await primary.pause();
        primary.resume();
        await steps(5);
      }
    },
  },
  {
    name: "a primary whose answers are slow",
    slow: 0.1,
    fault: ({ steps }) => steps(SOME),
  },
  {
    // Its log is given up meanwhile.
    name: "a primary that stands still until the mirror has caught up",
    values: ["answers"],
    async fault({ primary, idle, steps }) {
      for (let i = 0; i < 5; i++) {
        await primary.pause();
        await idle();
        primary.resume();
        await steps(SOME);
      }
    },
  },
  {
    name: "a mirror that is down when the first client comes",
    isDown: true,
    async fault({ mirror, steps, leftOut, replaysAgain }) {
      await leftOut("dropped", "mirror_down", SOME);
      await mirror.start();
      await replaysAgain();
      await steps(SOME);
    },
  },
  {
    name: "a mirror of which nothing is known when the first client comes",
    isDown: "before the proxy",
    async fault({ mirror, steps, leftOut, replaysAgain }) {
      await leftOut("dropped", "mirror_down", SOME);
      await mirror.start();
      await replaysAgain();
      await steps(SOME);
    },
  },
  {
    name: "a mirror that is killed and starts again",
    async fault({ mirror, steps, leftOut, replaysAgain }) {
      for (let i = 0; i < 2; i++) {
        mirror.kill("SIGKILL");
        await mirror.exited();
        await steps(SOME);
        await mirror.start();
        await replaysAgain();
      }
      await leftOut("dropped", "mirror_down");
    },
  },
  {
    name: "a mirror that is stopped in order and starts again",
    async fault({ mirror, steps, leftOut, replaysAgain }) {
      for (let i = 0; i < 2; i++) {
        await mirror.stop();
        await steps(SOME);
        await mirror.start();
        await replaysAgain();
      }
      await leftOut("dropped", "mirror_down");
    },
  },
  {
    name: "a mirror that is asked for its schema while it is down",
    async fault({ mirror, proxy, steps, leftOut, said, replaysAgain }) {
      await mirror.stop();
      await proxy.admin("RELOAD");
      await said("Mirror's schema is not known");
      await leftOut("dropped", "mirror_down", SOME);
      await mirror.start();
      await replaysAgain();
      await steps(SOME);
    },
  },
  {
    name: "a mirror that ends the session which asks for its schema",
    async fault({ mirror, proxy, steps, replaysAgain }) {
      await onServer(mirror, (sql) =>
        sql.begin(async (open) => {
          await open`lock table pg_policy`;
          await proxy.admin("RELOAD");
          await waitFor("the question", async () => {
            const ended = await open`
              select pg_terminate_backend(pid) from pg_locks
              where relation = 'pg_policy'::regclass and not granted`;
            return ended.length > 0;
          }, 30_000);
        }));
      await replaysAgain();
      await steps(SOME);
    },
  },
  {
    name: "half of the transactions are not mirrored",
    general: { mirror_exposure: 0.5 },
    async fault({ steps, leftOut }) {
      await steps(5 * SOME);
      await leftOut("excluded", "sampled_out");
    },
  },
  {
    name: "a mirror that stands still until its queue is full",
    general: { mirror_queue: 4 },
    async fault({ mirror, steps, leftOut, replaysAgain }) {
      await mirror.pause();
      await leftOut("dropped", "queue_full", SOME);
      mirror.resume();
      await replaysAgain();
      await steps(SOME);
    },
  },
  {
    name: "a mirror that stands still beyond mirror_timeout",
    general: { mirror_timeout: 1_000, connect_timeout: 1_000 },
    async fault({ mirror, steps, leftOut, replaysAgain }) {
      await mirror.pause();
      await leftOut("failed", "timeout", 1);
      await leftOut("dropped", "mirror_down", SOME);
      mirror.resume();
      await replaysAgain();
      await steps(SOME);
    },
  },
  {
    name: "PAUSE MIRROR and RESUME MIRROR",
    async fault({ proxy, steps, leftOut, replaysAgain }) {
      for (let i = 0; i < 2; i++) {
        await proxy.admin("PAUSE MIRROR");
        await steps(SOME);
        await proxy.admin("RESUME MIRROR");
        await replaysAgain();
      }
      await leftOut("dropped", "paused");
    },
  },
];

for (const values of VALUES) {
  for (const { name, values: some = VALUES, ...fault } of FAULTS) {
    if (!some.includes(values)) continue;
    Deno.test({
      name: `given faults, "${values}": ${name}: no row is wrong`,
      sanitizeOps: false,
      sanitizeResources: false,
      async fn() {
        assert.deepEqual(await runFault({ values, ...fault }), NOTHING_WRONG);
      },
    });
  }
}
