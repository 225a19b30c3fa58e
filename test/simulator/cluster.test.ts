/** DESIGN §13: a whole cluster in one process, its parts and its runs. One seed is one run, to the byte. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { HostClock } from "../../simulator/cluster/host-clock.ts";
import { MessageNetwork, fairWeather } from "../../simulator/cluster/message-network.ts";
import type { Weather } from "../../simulator/cluster/message-network.ts";
import { runSeed } from "../../simulator/cluster/run.ts";
import { drawSwarm } from "../../simulator/cluster/swarm.ts";
import { Trace } from "../../simulator/cluster/trace.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";

interface Arrival {
  readonly packet: number;
  readonly atMs: number;
}

/** A network of three hosts, and what arrives at host 1. */
function newNetwork(weather: Partial<Weather> = {}, seed = 1) {
  const clock = new SimulatedClock();
  const arrivals: Arrival[] = [];
  const network = new MessageNetwork<number>({
    clock,
    random: new SeededRandom(seed),
    hosts: 3,
    weather: { ...fairWeather, ...weather },
    trace: new Trace(() => clock.monotonicMs()),
    deliver: (to, _from, packet) => {
      if (to === 1) arrivals.push({ packet, atMs: clock.monotonicMs() });
    },
  });
  const send = (count: number): void => {
    for (let packet = 0; packet < count; packet++) network.send(0, 1, packet, 0);
  };
  return { clock, network, arrivals, send };
}

function packetsOf(arrivals: readonly Arrival[]): number[] {
  return arrivals.map(({ packet }) => packet);
}

suite("the datagram network of a cluster", () => {
  test("in fair weather everything arrives once, in order, after a delay", () => {
    const { clock, arrivals, send } = newNetwork();
    send(50);
    assert.equal(arrivals.length, 0);
    clock.advance(100);
    assert.deepEqual(
      packetsOf(arrivals),
      Array.from({ length: 50 }, (_, packet) => packet),
    );
    assert.ok(arrivals.every(({ atMs }) => atMs >= fairWeather.delayMinMs));
  });

  test("loss loses and duplication doubles about as many as the weather says", () => {
    const { clock, arrivals, send } = newNetwork({ loss: 0.3, duplication: 0.5 });
    send(10_000);
    clock.advance(10_000);
    const different = new Set(packetsOf(arrivals)).size;
    assert.ok(different > 6_700 && different < 7_300, `${different} of 10000 arrived`);
    const doubled = arrivals.length - different;
    assert.ok(doubled > different * 0.45 && doubled < different * 0.55, `${doubled} came twice`);
  });

  test("only where the weather says so a packet overtakes another", () => {
    for (const reorders of [false, true]) {
      const { clock, arrivals, send } = newNetwork({ delayMeanMs: 10, reorders });
      send(100);
      clock.advance(1_000);
      const found = packetsOf(arrivals);
      const sorted = found.toSorted((a, b) => a - b);
      if (reorders) assert.notDeepEqual(found, sorted);
      else assert.deepEqual(found, sorted);
    }
  });

  test("a blocked way loses in its direction, also what is under way; healing lets pass", () => {
    const { clock, network, arrivals, send } = newNetwork();
    send(1);
    network.block(0, 1);
    clock.advance(100);
    send(2);
    clock.advance(100);
    assert.deepEqual(arrivals, []);
    network.send(2, 1, 77, 0);
    clock.advance(100);
    assert.deepEqual(packetsOf(arrivals), [77]);
    network.heal();
    send(1);
    clock.advance(100);
    assert.deepEqual(packetsOf(arrivals), [77, 0]);
  });

  test("a clogged way holds what is sent until it is free", () => {
    const { clock, network, arrivals, send } = newNetwork();
    network.clog(0, 1, 500);
    send(3);
    clock.advance(499);
    assert.deepEqual(arrivals, []);
    clock.advance(100);
    assert.deepEqual(packetsOf(arrivals), [0, 1, 2]);
  });
});

/** A clock of a process, the time of the world, and how many tasks ran. */
function newClock() {
  const time = new SimulatedClock();
  let tasks = 0;
  const clock = new HostClock(time, { wallOffsetMs: 0, onTask: () => tasks++ });
  return { time, clock, tasks: () => tasks };
}

suite("the clock of a host", () => {
  test("a call that blocks makes this process late, and nobody else", () => {
    const { time, clock } = newClock();
    const told: string[] = [];
    clock.after(10, () => told.push(`own ${time.monotonicMs()}`));
    time.after(10, () => told.push(`other ${time.monotonicMs()}`));
    clock.soon(() => {
      clock.elapse(25);
      clock.after(5, () => told.push(`planned in it ${time.monotonicMs()}`));
      told.push(`rest of the task at ${clock.monotonicMs()}, lag ${clock.lagMs}`);
    });
    time.advance(100);
    assert.deepEqual(told, [
      "rest of the task at 25, lag 25",
      "other 10",
      "own 25",
      "planned in it 30",
    ]);
  });

  test("what comes due during a pause or a blocking call runs afterwards, once, in order", () => {
    const { time, clock, tasks } = newClock();
    const order: number[] = [];
    for (let number = 0; number < 5; number++) clock.after(number, () => order.push(number));
    clock.elapse(3);
    time.advance(1);
    clock.pause();
    time.advance(50);
    assert.deepEqual(order, []);
    clock.resume();
    time.advance(50);
    assert.deepEqual(order, [0, 1, 2, 3, 4]);
    assert.equal(tasks(), 5);
  });

  test("a task that was cancelled while it waited does not run, nor any after the process was killed", () => {
    const { time, clock } = newClock();
    let ran = 0;
    const timer = clock.after(5, () => ran++);
    clock.after(0, () => clock.elapse(10));
    time.advance(7);
    timer.cancel();
    time.advance(20);
    assert.equal(ran, 0);
    clock.after(5, () => ran++);
    clock.kill();
    time.advance(20);
    assert.equal(ran, 0);
  });
});

suite("the runs of a cluster", () => {
  test("one seed gives the same trace twice, byte for byte, and the same hash without text", async () => {
    for (const seed of [11, 12, 13]) {
      const texts: string[] = [];
      const hashes: string[] = [];
      for (let run = 0; run < 2; run++) {
        const lines: string[] = [];
        const report = await runSeed(seed, { onLine: ({ text }) => lines.push(text) });
        texts.push(lines.join("\n"));
        hashes.push(report.hash);
      }
      hashes.push((await runSeed(seed)).hash);
      assert.ok((texts[0] ?? "").length > 1_000, `seed ${seed} has a trace`);
      assert.ok(texts[0] === texts[1], `the text of seed ${seed} is another the second time`);
      assert.equal(new Set(hashes).size, 1, `seed ${seed}: ${hashes.join(", ")}`);
    }
  });

  test("what asks itself again and again is found, and the run ends", () => {
    const clock = new SimulatedClock();
    const trace = new Trace(() => clock.monotonicMs());
    const again = (times: number): void => {
      for (let i = 0; i < times; i++) trace.mix("message", 0, 1, 0, 0);
    };
    again(250_000);
    clock.advance(1_000);
    again(250_000);
    assert.throws(() => again(250_000), /livelock/);
  });

  test("different seeds give different runs", async () => {
    const hashes = new Set<string>();
    for (let seed = 21; seed < 25; seed++) hashes.add((await runSeed(seed)).hash);
    assert.equal(hashes.size, 4);
  });

  test("the seeds draw every fault and every size of a cluster", () => {
    const faults = new Set<string>();
    const hosts = new Set<number>();
    let witnesses = 0;
    for (let seed = 0; seed < 300; seed++) {
      const swarm = drawSwarm(new SeededRandom(seed), new SeededRandom(seed));
      for (const name of Object.keys(swarm.faultEveryMs)) faults.add(name);
      hosts.add(swarm.hosts);
      if (swarm.witness) witnesses++;
      assert.ok(swarm.replicationFactor <= swarm.hosts, `seed ${seed}`);
    }
    assert.equal(faults.size, 16);
    assert.deepEqual(
      [...hosts].toSorted((a, b) => a - b),
      [1, 2, 3, 4, 5, 6, 7],
    );
    assert.ok(witnesses > 20);
  });

  test("P1, P2, P3, P5: some seeds, all faults, everything checked", async () => {
    const happened = { deaths: 0, elections: 0, snapshots: 0, configurations: 0, writes: 0 };
    for (let seed = 1; seed <= 10; seed++) {
      const report = await runSeed(seed);
      assert.equal(
        report.violation?.text,
        undefined,
        `npm run simulate -- --seed ${seed} --seeds 1`,
      );
      happened.deaths += report.deaths;
      happened.elections += report.elections;
      happened.snapshots += report.snapshots;
      happened.configurations += report.configurations;
      happened.writes += report.writes;
    }
    for (const [name, count] of Object.entries(happened)) assert.ok(count > 0, `no ${name}`);
  });
});
