/** Queues, sessions and groups of both through the clients of Redis that people have, and redis-cli (DESIGN §11, §13). */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { notBuilt, ServerProcess, TemporaryDirectory } from "./fixtures/program.ts";
import { type AnyClient, clients, errors, fieldOf } from "./fixtures/redis-clients.ts";

const configuration = `sessions:
  payment:
    number: 1
    delay: 1
    spread: 0
`;

/** The fields of the only element of an array that is a field of a reply. */
function onlyOf(reply: unknown, name: string): (field: string) => unknown {
  const items = fieldOf(reply, name);
  assert.ok(Array.isArray(items) && items.length === 1, `${name}: ${JSON.stringify(reply)}`);
  return (field) => fieldOf(items[0], field);
}

async function rejected(promise: Promise<unknown>): Promise<string> {
  try {
    return `resolved: ${String(await promise)}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

suite("queues and sessions for clients of Redis", { skip: notBuilt }, () => {
  let directory: TemporaryDirectory;
  let server: ServerProcess;

  before(async () => {
    directory = new TemporaryDirectory();
    const file = join(directory.path, "truba.yaml");
    writeFileSync(file, configuration);
    server = await ServerProcess.start({
      data: join(directory.path, "data"),
      flags: ["--config", file],
    });
  });

  after(async () => {
    await server[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  for (const [index, [name, connect]] of Object.entries(clients).entries()) {
    const queue = `{c${index}}jobs`;

    test(`${name}: a task from push to acknowledgement`, async () => {
      errors.length = 0;
      const client = await connect(server.port);
      const send = (...words: readonly string[]): Promise<unknown> => client.send(queue, words);
      const created = await send("QUEUE.CREATE", queue, "TYPE", "priority", "MAXDELIVERIES", "2");
      assert.ok([1, true].includes(fieldOf(created, "created") as never));
      const pushed = await send("QUEUE.PUSH", queue, "wörld", "PRIORITY", "-1000000000000000");
      const task = Number(fieldOf(pushed, "task"));
      const popped = onlyOf(await send("QUEUE.POP", queue, "WAIT", "1"), "tasks");
      assert.equal(Number(popped("task")), task);
      assert.equal(popped("payload"), "wörld");
      assert.equal(popped("priority"), -1_000_000_000_000_000);
      const lease = String(popped("lease"));
      const acked = await send("QUEUE.ACK", queue, String(task), lease);
      assert.equal(Number(fieldOf(acked, "settled")), 1);
      assert.match(await rejected(send("QUEUE.ACK", queue, String(task), lease)), /LEASELOST/);
      assert.match(await rejected(send("QUEUE.PUSH", `${queue}-none`, "x")), /NOQUEUE/);
      const called = await send("FCALL", "queue.push", "1", queue, "again");
      assert.ok(Number(fieldOf(called, "task")) > task);
      const counted = await send("FCALL_RO", "queue.count", "1", queue);
      assert.equal(Number(fieldOf(counted, "waiting")), 1);
      await client.close();
      assert.deepEqual(errors, []);
    });

    test(`${name}: a session, and its step with a task in one group`, async () => {
      const client = await connect(server.port);
      const send = (...words: readonly string[]): Promise<unknown> => client.send(queue, words);
      const opened = await send("SESSION.NEW", "payment", "TAG", `c${index}`, "DATA", "first");
      const session = String(fieldOf(opened, "session"));
      const epoch = String(fieldOf(opened, "epoch"));
      const answers = await group(client, queue, [
        ["SESSION.APPEND", session, epoch, "second"],
        ["QUEUE.PUSH", queue, "step"],
      ]);
      assert.ok(Array.isArray(answers));
      assert.equal(Number(fieldOf(answers[0], "recordsCount")), 2);
      const fenced = group(client, queue, [
        ["QUEUE.PUSH", queue, "half"],
        ["SESSION.APPEND", session, "1", "late"],
      ]);
      assert.match(await rejected(fenced), /EXECABORT FENCED 1 /);
      const shown = await send("SESSION.GET", session);
      assert.deepEqual(fieldOf(shown, "records"), ["first", "second"]);
      const counted = await send("QUEUE.COUNT", queue);
      assert.equal(Number(fieldOf(counted, "waiting")), 2, "nothing half");
      await client.close();
      const back = await connect(server.port);
      const taken = await back.send(queue, ["SESSION.TAKE", "payment", "WAIT", "5"]);
      assert.equal(
        onlyOf(taken, "sessions")("session"),
        session,
        "it goes back with its connection",
      );
      const newer = String(onlyOf(taken, "sessions")("epoch"));
      await back.send(queue, ["SESSION.DELETE", session, newer]);
      await back.close();
    });
  }

  test("redis-cli shows maps, errors and help", () => {
    const { port } = server;
    redisCli(port, "QUEUE.CREATE", "cli");
    assert.match(
      redisCli(port, "QUEUE.PUSH", "cli", "hello"),
      /^task \d+\nduplicate \(?false\)?\n$/,
    );
    assert.match(redisCli(port, "QUEUE.POP", "cli", "WAIT", "1"), /payload hello/);
    assert.match(
      redisCli(port, "QUEUE.PUSH", "cli", "x", "DELAY", "soon"),
      /^BADVALUE DELAY is "soon"; it must be/m,
    );
    assert.match(redisCli(port, "COMMAND", "DOCS", "queue.push"), /summary Adds a task\./);
    // Each call is a connection of its own: what the first one took is there again.
    assert.match(redisCli(port, "QUEUE.POP", "cli", "WAIT", "1"), /deliveries 2\n/);
    assert.match(redisCli(port, "QUEUE.POP", "none", "WAIT", "1"), /^NOQUEUE /);
  });
});

/** A group by its words: in clients whose own `multi` knows only the commands of Redis, and in those that share a connection, one after the other at once. */
async function group(
  client: AnyClient,
  key: string,
  commands: readonly (readonly string[])[],
): Promise<unknown> {
  const sent = [["MULTI"], ...commands, ["EXEC"]].map((words) => client.send(key, words));
  const results = await Promise.allSettled(sent);
  const last = results.at(-1);
  if (last?.status === "rejected") throw last.reason;
  return last?.value;
}

function redisCli(port: number, ...words: readonly string[]): string {
  const done = spawnSync("redis-cli", ["-p", String(port), "-3", ...words], {
    encoding: "utf8",
    timeout: 10_000,
  });
  if (done.error !== undefined) throw done.error;
  return done.stdout;
}
