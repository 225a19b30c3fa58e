/** The links between simulated nodes: texts in order or the end, whatever happens on the way. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import type { MessageLink } from "../../src/documents/links/message-link.ts";
import { HostClock } from "../../simulator/cluster/host-clock.ts";
import { LinkNetwork, addressOf } from "../../simulator/cluster/link-network.ts";
import { Trace } from "../../simulator/cluster/trace.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";

class Side {
  readonly texts: string[] = [];
  readonly ends: string[] = [];
  drains = 0;
  readonly link: MessageLink;

  constructor(link: MessageLink) {
    this.link = link;
    link.bind({
      message: (text) => this.texts.push(text),
      binary: () => assert.fail("nothing binary is sent"),
      drained: () => this.drains++,
      closed: (reason) => this.ends.push(reason),
    });
  }
}

/** Host 0 dials host 1, which accepts. */
async function linked() {
  const world = newWorld();
  const far: Side[] = [];
  const farClock = world.listen((link) => far.push(new Side(link)));
  const near = new Side((await world.dial()).link);
  return { ...world, near, far: must(far[0]), farClock };
}

function newWorld() {
  const time = new SimulatedClock();
  const random = new SeededRandom(5);
  const blocked = { state: false };
  const network = new LinkNetwork({
    clock: time,
    random,
    trace: new Trace(() => time.monotonicMs()),
    paths: {
      isBlocked: () => blocked.state,
      drawDelayMs: () => 1 + (random.u32() % 20),
    },
  });
  const newClock = (): HostClock => new HostClock(time, { wallOffsetMs: 0, onTask: () => {} });
  const clock = newClock();
  const listen = (accept: (link: MessageLink) => void): HostClock => {
    const own = newClock();
    network.listen(1, {
      clock: own,
      accept: (link) => {
        accept(link);
        return 1;
      },
    });
    return own;
  };
  const dial = async () => {
    const { signal } = new AbortController();
    const dialed = network.dialer(0, clock).dial(addressOf(1), new Map(), signal);
    return time.drive(dialed);
  };
  return { time, network, blocked, clock, listen, dial };
}

const many = Array.from({ length: 50 }, (_, at) => `text ${at}`);

suite("the links of a simulated cluster", () => {
  test("texts arrive whole and in order, also if the path is blocked for a while", async () => {
    const { time, near, far, blocked } = await linked();
    for (const text of many.slice(0, 25)) near.link.send(text, false);
    time.advance(5);
    blocked.state = true;
    for (const text of many.slice(25)) near.link.send(text, false);
    time.advance(1_000);
    assert.ok(far.texts.length < 50);
    blocked.state = false;
    time.advance(1_000);
    assert.deepEqual(far.texts, many);
    assert.deepEqual(near.ends, []);
  });

  test("what is more than the window waits at the sender until the other side reads", async () => {
    const { time, near, far } = await linked();
    far.link.pause();
    const large = "x".repeat(20_000);
    for (let sent = 0; sent < 10; sent++) near.link.send(large, false);
    time.advance(1_000);
    assert.equal(far.texts.length, 0);
    assert.equal(near.link.bufferedBytes, 6 * 20_000);
    far.link.resume();
    time.advance(1_000);
    assert.equal(far.texts.length, 10);
    assert.equal(near.link.bufferedBytes, 0);
    assert.ok(near.drains > 1);
  });

  test("a side that closes is heard behind what it sent before; both are told once", async () => {
    const { time, near, far } = await linked();
    near.link.send("last words", false);
    near.link.close(1000, "done");
    near.link.send("not sent", false);
    time.advance(5_000);
    assert.deepEqual(far.texts, ["last words"]);
    assert.equal(far.ends.length, 1);
    assert.equal(near.ends.length, 1);
  });

  test("a process that is killed ends its links at the other side", async () => {
    const { time, near, farClock, network } = await linked();
    farClock.kill();
    network.gone(1, false);
    time.advance(100);
    assert.equal(near.ends.length, 1);
  });

  test("after a power loss the other side hears nothing, until it sends to the machine that is back", async () => {
    const { time, near, farClock, network, listen } = await linked();
    farClock.kill();
    network.gone(1, true);
    near.link.send("into the void", false);
    time.advance(60_000);
    assert.deepEqual(near.ends, []);
    listen(() => {});
    near.link.send("is anybody there", false);
    time.advance(1_000);
    assert.equal(near.ends.length, 1);
  });

  test("of half a cut one side is told, and the other only when it sends", async () => {
    const { time, near, far, network } = await linked();
    network.cut(true);
    time.advance(60_000);
    assert.equal(near.ends.length + far.ends.length, 1);
    const deaf = near.ends.length === 0 ? near : far;
    deaf.link.send("hello", false);
    time.advance(1_000);
    assert.equal(deaf.ends.length, 1);
  });

  test("nobody there: a dial is refused; no machine there: it times out; given up: at once", async () => {
    const { network, dial, listen, time, clock } = newWorld();
    await assert.rejects(dial(), /h1 refuses/);
    listen(() => {});
    network.gone(1, true);
    await assert.rejects(dial(), /h1 does not answer/);
    const abort = new AbortController();
    const dialed = network.dialer(0, clock).dial(addressOf(1), new Map(), abort.signal);
    abort.abort();
    await assert.rejects(time.drive(dialed), /given up/);
  });
});
