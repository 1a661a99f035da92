import assert from "node:assert/strict";
import {
  accept,
  closeDescriptor,
  EpollReactor,
  listen,
  socketAddress,
} from "../../src/io/mod.ts";
import { Acceptor } from "../../src/proxy/acceptor.ts";
import { freePort } from "../support/proxy.ts";

Deno.test("Acceptor: a client that can't be accepted is tried again now and then, and told of once", async () => {
  const port = freePort();
  const listener = listen(socketAddress("127.0.0.1", port));
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const reactor = new EpollReactor();
  let calls = 0;
  let refused = 0;
  let from = 0;
  let descriptors = 0;
  new Acceptor(
    reactor,
    listener,
    {
      onClient(fd, _host, clientPort) {
        from = clientPort;
        closeDescriptor(fd);
        reactor.close(listener);
        reactor.stop();
      },
      onRefused: () => refused++,
    },
    // As the kernel does while there is no descriptor.
    (fd, peer) => {
      calls++;
      return descriptors-- > 0 ? accept(fd, peer) : -1;
    },
  );
  reactor.after(250, () => descriptors = 1);
  reactor.run();
  const { port: ours } = conn.localAddr;
  conn.close();
  assert.equal(from, ours);
  assert.equal(refused, 1);
  // At 0, 100 and 200 ms, then with success, and one more look.
  assert.ok(calls <= 5, `${calls} calls`);
});
