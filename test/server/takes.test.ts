/** Takes and subscriptions over RESP: order, owners, greedy clients (P4, P8; DESIGN §8 owners). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { limits } from "../../src/base/limits.ts";
import { randomBelow } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { kindDefaults } from "../../src/machines/sessions/kinds.ts";
import { TestServer, type Wire, keyOf, request } from "./test-server.ts";

const kinds = [{ ...kindDefaults, name: "payment", number: 1, spreadMs: 0 }];
const mebibyte = "x".repeat(1_048_576);

/** The counts of QUEUE.COUNT, over RESP2. */
async function counts(
  server: TestServer,
  queue: string,
): Promise<{ waiting: number; leased: number }> {
  const answer = await server.exchange(server.connect(), request("QUEUE.COUNT", queue));
  const [, waiting, , , leased] = /waiting\r\n:(\d+)(.*)(.*)leased\r\n:(\d+)/s.exec(answer) ?? [];
  return { waiting: Number(waiting), leased: Number(leased) };
}

async function pushed(
  server: TestServer,
  queue: string,
  count: number,
  payload: string,
): Promise<void> {
  const wire = server.connect();
  await server.exchange(wire, request("QUEUE.CREATE", queue));
  for (let i = 0; i < count; i++)
    await server.exchange(wire, request("QUEUE.PUSH", queue, payload));
}

suite("what a connection holds goes back when it ends (P4)", () => {
  test("also what its last requests took, whose answers it never saw", async () => {
    const server = await TestServer.start();
    await pushed(server, "jobs", 3, "x");
    const wire = server.connect();
    wire.send(request("QUEUE.POP", "jobs") + request("QUEUE.POP", "jobs"));
    wire.hangUp();
    await server.clock.settle();
    assert.deepEqual(await counts(server, "jobs"), { waiting: 3, leased: 0 });
    await server.stop();
  });

  test("and what it opened in a group, by itself and by FCALL", async () => {
    const server = await TestServer.start({ kinds });
    const opened = [
      [request("MULTI"), request("SESSION.NEW", "payment", "TAG", "a"), request("EXEC")],
      [
        request("MULTI"),
        request("SESSION.NEW", "payment"),
        request("SET", keyOf(1), "x"),
        request("EXEC"),
      ],
      [request("SESSION.NEW", "payment", "REQUEST", "id-1")],
      [request("FCALL", "session.new", "0", "payment")],
    ];
    for (const [index, words] of opened.entries()) {
      const wire = server.connect();
      assert.match(await server.exchange(wire, words.join("")), /epoch/);
      const list = request("SESSION.LIST", "STATE", "stored");
      wire.hangUp();
      await server.clock.settle();
      const answer = await server.exchange(server.connect(), list);
      assert.equal(answer.split("stored\r\n").length - 1, index + 1, answer);
    }
    await server.stop();
  });

  test("a request that had not its turn when the connection ended takes nothing", async () => {
    const server = await TestServer.start();
    await pushed(server, "jobs", 2, "x");
    const wire = server.connect();
    wire.send(request("HELLO", "3") + request("SET", keyOf(1), "x"));
    wire.send(request("QUEUE.POP", "jobs", "WAIT", "60"));
    wire.send(request("QUEUE.SUBSCRIBE", "jobs", "CREDIT", "5"));
    wire.hangUp();
    await server.clock.settle();
    assert.deepEqual(await counts(server, "jobs"), { waiting: 2, leased: 0 });
    assert.equal(server.node.requests.takes.waiting, 0);
    await server.stop();
  });

  test("nobody waits any more after thousands of clients have come and gone", async () => {
    const server = await TestServer.start({ kinds });
    await pushed(server, "jobs", 0, "");
    for (let round = 0; round < 50; round++) {
      const wires = Array.from({ length: 40 }, () => server.connect());
      for (const [i, wire] of wires.entries()) {
        wire.send(request("HELLO", "3"));
        if (i % 4 === 0) wire.send(request("QUEUE.POP", "jobs", "WAIT", "60"));
        else if (i % 4 === 1) wire.send(request("SESSION.TAKE", "payment", "WAIT", "60"));
        else if (i % 4 === 2) wire.send(request("QUEUE.SUBSCRIBE", "jobs", "CREDIT", "5"));
        else wire.send(request("SESSION.SUBSCRIBE", "payment", "CREDIT", "5"));
      }
      await server.clock.settle();
      assert.ok(server.node.requests.takes.waiting >= 40);
      for (const wire of wires) wire.hangUp();
    }
    assert.equal(server.node.requests.takes.waiting, 0);
    await server.stop();
  });

  test("at once when the client has ended its side, as a dead process does, although a take waits: it could settle nothing", async () => {
    const server = await TestServer.start();
    await pushed(server, "jobs", 1, "held");
    const wire = server.connect();
    wire.send(request("QUEUE.POP", "jobs"));
    wire.send(
      request("QUEUE.POP", "jobs", "WAIT", "60") + request("QUEUE.POP", "jobs", "WAIT", "60"),
    );
    await server.clock.settle();
    assert.match(wire.take(), /held/);
    assert.deepEqual(await counts(server, "jobs"), { waiting: 0, leased: 1 });
    wire.shut();
    await server.clock.settle();
    assert.match(wire.take(), /^-CLOSED .*\r\n-CLOSED .*\r\n$/);
    assert.equal(wire.state, "ended");
    wire.hangUp();
    await server.clock.settle();
    assert.deepEqual(await counts(server, "jobs"), { waiting: 1, leased: 0 });
    await server.stop();
  });
});

async function comparePipeline(seed: number, how: { tag: string; waits: boolean }): Promise<void> {
  const random = new SeededRandom(seed);
  const story = await TestServer.start({ kinds });
  const wire = story.connect();
  const words: string[] = [];
  const answers: string[] = [];
  const leased: (readonly [queue: string, task: string, lease: string])[] = [];
  const waiting = new Map<string, number>();
  for (let i = 0; i < 120; i++) {
    const next = randomRequest(random, { ...how, leased, waiting });
    const answer = await story.exchange(wire, request(...next));
    words.push(request(...next));
    answers.push(answer);
    note(next, answer, { leased, waiting });
  }
  await story.stop();
  const server = await TestServer.start({ kinds });
  const piped = server.connect();
  const bytes = words.join("");
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + randomBelow(random, 2_000);
    piped.send(bytes.slice(at, end));
    if (randomBelow(random, 3) === 0) await server.clock.settle();
    at = end;
  }
  await server.clock.settle();
  assert.equal(piped.take(), answers.join(""), `seed ${seed}`);
  await server.stop();
}

suite("takes in a pipeline", () => {
  // A pop that waits lets writes to other slots go before it, so that numbers differ: those are played on one slot.
  for (const { title, tag, waits } of [
    { title: "are answered as if they had come one by one", tag: "", waits: false },
    { title: "and those that wait too, as far as they are on one slot", tag: "{a}", waits: true },
  ]) {
    test(title, async () => {
      for (let seed = 1; seed <= 10; seed++) await comparePipeline(seed, { tag, waits });
    });
  }

  test("do not make more answers at one time than a connection may have", async () => {
    const server = await TestServer.start();
    await pushed(server, "jobs", 40, mebibyte);
    const wire = server.connect();
    wire.stalled = true;
    wire.send(request("QUEUE.POP", "jobs", "COUNT", "4").repeat(12));
    let most = 0;
    let answered = 0;
    for (let round = 0; round < 20 && answered < 12; round++) {
      await server.clock.settle();
      most = Math.max(most, wire.bufferedBytes);
      answered += wire.take().split("tasks\r\n").length - 1;
      wire.takeStalled();
      wire.stalled = true;
    }
    assert.equal(wire.state, "open");
    assert.equal(answered, 12);
    assert.ok(most <= limits.answerMaxBytes + 2_000_000, `${most} bytes waited for the client`);
    await server.stop();
  });
});

type Known = {
  leased: (readonly [queue: string, task: string, lease: string])[];
  waiting: Map<string, number>;
};

function randomRequest(
  random: SeededRandom,
  { leased, waiting, tag, waits }: Known & { tag: string; waits: boolean },
): readonly string[] {
  const queue = `${tag}queue-${randomBelow(random, 3)}`;
  const key = `${tag}${keyOf(randomBelow(random, 4))}`;
  const [lent] = leased.splice(randomBelow(random, leased.length + 1), 1);
  switch (randomBelow(random, 12)) {
    case 0:
      return ["QUEUE.CREATE", queue, "IFABSENT"];
    case 1:
    case 2:
    case 3:
      return ["QUEUE.PUSH", queue, `task-${random.u32()}`];
    case 4:
      return ["QUEUE.POP", queue, "COUNT", String(1 + randomBelow(random, 3))];
    case 5:
      return waits && (waiting.get(queue) ?? 0) > 0
        ? ["QUEUE.POP", queue, "WAIT", "60"]
        : ["QUEUE.COUNT", queue];
    case 6:
      return lent === undefined ? ["QUEUE.PEEK", queue] : ["QUEUE.ACK", ...lent];
    case 7:
      return lent === undefined ? ["QUEUE.PURGE", queue] : ["QUEUE.NACK", ...lent];
    case 8:
      return ["SET", key, `value-${random.u32()}`];
    case 9:
      return ["GET", key];
    case 10:
      return ["QUEUE.STATS", queue];
    default:
      return ["QUEUE.LIST"];
  }
}

/** Keeps what was lent out and how many wait, to ask something sensible next. */
function note(
  [verb = "", queue = ""]: readonly string[],
  answer: string,
  { leased, waiting }: Known,
): void {
  if (answer.startsWith("-")) return;
  const change = (by: number): unknown => waiting.set(queue, (waiting.get(queue) ?? 0) + by);
  if (verb === "QUEUE.PUSH") change(1);
  else if (verb === "QUEUE.NACK") change(1);
  else if (verb === "QUEUE.PURGE") waiting.set(queue, 0);
  else if (verb === "QUEUE.POP")
    for (const [, task = "", lease = ""] of answer.matchAll(
      /task\r\n:(\d+)\r\n\$5\r\nlease\r\n:(\d+)/g,
    )) {
      leased.push([queue, task, lease]);
      change(-1);
    }
}

async function subscribed(server: TestServer, credit: number): Promise<Wire> {
  const wire = server.connect();
  await server.exchange(wire, request("HELLO", "3"));
  wire.send(request("QUEUE.SUBSCRIBE", "jobs", "CREDIT", String(credit)));
  return wire;
}

suite("subscriptions (P8)", () => {
  test("a client that does not take what is pushed loses its connection, and the tasks go back", async () => {
    const server = await TestServer.start();
    await pushed(server, "jobs", 80, mebibyte);
    const wire = await subscribed(server, 100);
    wire.stalled = true;
    await server.clock.settle();
    assert.equal(wire.state, "destroyed");
    assert.ok(wire.bufferedBytes <= limits.connectionOutputMaxBytes + 6_000_000);
    assert.deepEqual(await counts(server, "jobs"), { waiting: 80, leased: 0 });
    await server.stop();
  });

  test("pushes stand between answers, never inside one, and the id comes first", async () => {
    const server = await TestServer.start();
    await pushed(server, "jobs", 1, "first");
    await server.exchange(server.connect(), request("SET", keyOf(1), mebibyte));
    const wire = await subscribed(server, 1_000);
    for (let i = 0; i < 30; i++) {
      wire.send(request("GET", keyOf(1)) + request("QUEUE.PUSH", "jobs", `task-${i}`));
      if (i % 7 === 0) await server.clock.settle();
    }
    await server.clock.settle();
    const received = wire.take();
    assert.ok(received.startsWith(":1\r\n"), received.slice(0, 40));
    const rest = received.replaceAll(`$1048576\r\n${mebibyte}\r\n`, "");
    const pushes = rest.split(/(?=>3\r\n)/).slice(1);
    const tasks = pushes.flatMap((push) => [...push.matchAll(/payload\r\n\$\d+\r\n(.*)\r\n/g)]);
    assert.deepEqual(
      tasks.map(([, payload]) => payload),
      ["first", ...Array.from({ length: 30 }, (_, i) => `task-${i}`)],
    );
    await server.stop();
  });

  test("one connection has so many and no more", async () => {
    const server = await TestServer.start();
    await pushed(server, "jobs", 0, "");
    const wire = await subscribed(server, 0);
    const more = limits.connectionSubscriptionsMaxCount;
    const answer = await server.exchange(
      wire,
      request("QUEUE.SUBSCRIBE", "jobs", "CREDIT", "0").repeat(more),
    );
    assert.match(
      answer,
      /:1024\r\n-TOOMANY the connection has 1024 subscriptions; the limit is 1024\r\n$/,
    );
    await server.exchange(wire, request("SUBSCRIPTION.CLOSE", "7"));
    assert.equal(
      await server.exchange(wire, request("QUEUE.SUBSCRIBE", "jobs", "CREDIT", "0")),
      ":1025\r\n",
    );
    assert.equal(await server.exchange(wire, request("RESET")), "+RESET\r\n");
    assert.equal(server.node.requests.takes.waiting, 0);
    await server.stop();
  });

  test("credit that comes behind writes counts before they are answered", async () => {
    const server = await TestServer.start();
    await pushed(server, "jobs", 2, "x");
    const wire = await subscribed(server, 1);
    await server.clock.settle();
    wire.take();
    const answer = await server.exchange(
      wire,
      request("SET", keyOf(1), "x") + request("SUBSCRIPTION.CREDIT", "1", "1"),
    );
    assert.match(answer, /\+OK\r\n/);
    assert.equal(answer.split("truba.tasks").length - 1, 1);
    await server.stop();
  });
});

suite("a node that stops", () => {
  test("lets nobody wait: they are told, and the stop is quick", async () => {
    const server = await TestServer.start({ kinds });
    await pushed(server, "jobs", 0, "");
    const [popper, taker, subscriber] = [server.connect(), server.connect(), server.connect()];
    popper.send(request("QUEUE.POP", "jobs", "WAIT", "60"));
    taker.send(request("SESSION.TAKE", "payment", "WAIT", "60"));
    subscriber.send(request("HELLO", "3") + request("QUEUE.SUBSCRIBE", "jobs", "CREDIT", "1"));
    await server.clock.settle();
    const began = server.clock.monotonicMs();
    await server.stop();
    assert.ok(server.clock.monotonicMs() - began < 5_000);
    for (const wire of [popper, taker]) assert.match(wire.take(), /^-[A-Z]+ /);
    assert.match(subscriber.take(), /truba\.ended/);
  });
});
