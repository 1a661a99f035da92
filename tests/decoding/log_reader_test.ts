import assert from "node:assert/strict";
import {
  type LogConnectionOwner,
  LogReader,
} from "../../src/decoding/log_reader.ts";
import { Timers } from "../../src/io/timers.ts";
import { messageOf, READY_FOR_QUERY } from "../../src/wire/mod.ts";

const READY = messageOf(READY_FOR_QUERY, "I");

/** A reader whose clock, loop and server a test drives. */
class Driven {
  nowUs = 0;
  readonly queries: string[] = [];
  readonly reader: LogReader;
  readonly #timers = new Timers();
  #owner: LogConnectionOwner | undefined;

  constructor() {
    this.reader = new LogReader({
      reactor: {
        after: (ms, run) => this.#timers.add(this.nowUs + ms * 1e3, run),
        cancel: (timer) => this.#timers.cancel(timer),
      },
      nowUs: () => this.nowUs,
      connect: (owner) => {
        this.#owner = owner;
        return {
          send: (bytes) => this.queries.push(new TextDecoder().decode(bytes)),
          close() {},
        };
      },
      listener: {
        isWanted: true,
        begin() {},
        end() {},
        add() {},
        polled() {},
        looking() {},
      },
      onState() {},
      slot: "s",
    });
    this.reader.start();
    this.#owner?.onLoggedIn();
    this.answer();
  }

  /** The server has answered the query under way, without rows. */
  answer(): void {
    this.#owner?.onReply(READY, READY.length);
  }

  /** One turn of the loop: timers fire by the clock at its begin. */
  turn(us: number, run: () => void): void {
    const beginUs = this.nowUs;
    this.nowUs += us;
    run();
    this.#timers.fire(beginUs);
  }
}

Deno.test("log reader: whoever wants a look does not put off one that is due", () => {
  const driven = new Driven();
  const looks = () =>
    driven.queries.filter((sql) => sql.includes("get_changes")).length;
  driven.turn(1_000, () => {});
  driven.turn(1_000, () => {});
  assert.equal(looks(), 1);
  driven.answer();
  for (let i = 0; i < 20; i++) driven.turn(1_000, () => driven.reader.want());
  assert.equal(looks(), 2);
});
