/** docs/queues-and-sessions.md says what the machines do: every cell of its two tables is played, and every guarantee names tests that are there. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { must } from "../src/base/assert.ts";
import type { Outcome } from "../src/machines/outcome.ts";
import { kindsOperation } from "../src/machines/sessions/session-operation.ts";
import type { Lease, SessionHandle, TaskState } from "../src/protocol/requests.ts";
import { QueueWorld } from "./machines/queues/queue-world.ts";
import {
  SessionReplica,
  alice,
  bytes,
  disconnected,
  due,
  kind,
  restarted,
} from "./machines/sessions/session-replica.ts";

const root = join(import.meta.dirname, "..");
const page = readFileSync(join(root, "docs", "queues-and-sessions.md"), "utf8");

/** The cells of the first table behind a heading, its head first. */
function tableBehind(heading: string): readonly (readonly string[])[] {
  const from = page.indexOf(`\n${heading}\n`);
  assert.ok(from >= 0, `the page has no heading ${heading}`);
  const lines = page.slice(from).split("\n");
  const first = lines.findIndex((line) => line.startsWith("| "));
  const rows: string[][] = [];
  for (const line of lines.slice(first)) {
    if (!line.startsWith("|")) break;
    const cells = line.split("|").slice(1, -1);
    rows.push(cells.map((cell) => cell.trim()));
  }
  return rows.filter((row) => row[0] !== "---");
}

/** Plays each cell: a thing in the column's state, to which the row's event happens. The page and what is known here must name the same. */
function play(
  heading: string,
  known: { states: readonly string[]; events: readonly string[] },
  run: (event: string, state: string) => string,
): void {
  const [head = [], ...rows] = tableBehind(heading);
  assert.deepEqual(head.slice(1), known.states, "states");
  assert.deepEqual(
    rows.map(([event]) => event),
    known.events,
    "events",
  );
  for (const [event = "", ...cells] of rows)
    for (const [i, cell] of cells.entries()) {
      const state = must(known.states[i]);
      assert.equal(run(event, state), cell, `${event}, when it is ${state}`);
    }
}

// Of three times of a task or session one is short, that of the event; the others do not come.
const shortMs = 10_000;
const longMs = 3_600_000;

interface TaskStory {
  readonly world: QueueWorld;
  readonly task: number;
  readonly last: Lease;
}

const taskStates = ["gone", "waiting", "delayed", "leased", "leased, last delivery", "dead"];

/** A task in a state of the table, with the lease of its last delivery, which in all states there was. */
function taskThatIs(state: string, event: string): TaskStory {
  const world = new QueueWorld();
  const ms = (words: string): number => (event === words ? shortMs : longMs);
  world.create({ queue: "q", leaseMs: ms("the time of its lease is over"), maxDeliveries: 2 });
  const task = world.push({ queue: "q", expiryMs: ms("its expiry is over") });
  const pop = (): Lease => world.popOne("q", alice);
  let last = pop();
  const again = { uncounted: true };
  if (state === "gone") world.ack("q", last);
  else if (state === "waiting") world.nack("q", last, again);
  else if (state === "delayed")
    world.nack("q", last, { ...again, delayMs: ms("its delay is over") });
  else if (state !== "leased") {
    world.nack("q", last);
    last = pop();
    if (state === "dead") world.nack("q", last);
  }
  assert.equal(taskState({ world, task, last }), state.split(",")[0], "the story begins well");
  return { world, task, last };
}

function taskState({ world, task }: TaskStory): string {
  const { queues } = world.queues.read("queue.list", {});
  if (queues.length === 0) return "gone";
  const states: readonly TaskState[] = ["waiting", "delayed", "leased", "dead"];
  const isThere = (state: TaskState): boolean =>
    world.queues.read("queue.peek", { queue: "q", state }).tasks.some((each) => each.task === task);
  return states.find(isThere) ?? "gone";
}

const settling = ["ack", "nack", "extend", "check"] as const;
const lease = "with its last lease";

const taskEvents: Readonly<Record<string, (story: TaskStory) => Outcome | void>> = {
  "`pop` of as many as there are": ({ world }) => void world.pop("q", 10),
  [`\`ack\` ${lease}`]: (story) => settle(story, "ack"),
  [`\`nack\` ${lease}`]: (story) => settle(story, "nack"),
  "`nack` with a delay": (story) => settle(story, "nack", { delayMs: longMs }),
  "`nack` uncounted": (story) => settle(story, "nack", { uncounted: true }),
  "`extend`": (story) => settle(story, "extend"),
  "`check`": (story) => settle(story, "check"),
  "`ack` with another lease": ({ world, task, last }) =>
    settle({ world, task, last: { task, lease: last.lease + 1 } }, "ack"),
  "the time of its lease is over": pass,
  "its owner's connection ends": ({ world }) =>
    void world.step({ verb: "disconnected", owner: alice }),
  "its owner's node starts again": ({ world }) =>
    void world.step({ verb: "restarted", node: alice.node, run: alice.run + 1 }),
  "its delay is over": pass,
  "its expiry is over": pass,
  "`purge`": ({ world }) => world.do("queue.purge", { queue: "q" }),
  "`purge` of the dead": ({ world }) => world.do("queue.purge", { queue: "q", state: "dead" }),
  "`revive`": ({ world }) => world.do("queue.revive", { queue: "q" }),
  "`pause`": ({ world }) => world.do("queue.pause", { queue: "q" }),
  "`delete` of the queue": ({ world }) => world.do("queue.delete", { queue: "q" }),
};

function settle(
  { world, last: { task, lease: number } }: TaskStory,
  how: (typeof settling)[number],
  options: { readonly delayMs?: number; readonly uncounted?: boolean } = {},
): Outcome {
  return world.do(`queue.${how}`, { queue: "q", leases: [{ task, lease: number }], ...options });
}

function pass({ world }: TaskStory): void {
  world.pass(shortMs - 1);
  world.due();
  world.pass(1);
  world.due();
}

interface SessionStory {
  readonly replica: SessionReplica;
  readonly handle: SessionHandle;
}

const usedUp = "active, repeats used up";
const sessionStates = ["gone", "active", usedUp, "stored", "dead"];

/** A session of alice in a state of the table, with the last epoch that she had of it. */
function sessionThatIs(state: string, event: string): SessionStory {
  const silenceMs = event === "its owner is silent for too long" ? shortMs : longMs;
  const replica = new SessionReplica({ kinds: [kind("k", { maxRepeats: 1, silenceMs })] });
  let handle: SessionHandle = replica.call("session.new", { kind: "k" });
  if (state === "gone") replica.call("session.delete", handle);
  else if (state !== "active") {
    const afterMs = state === "stored" ? shortMs : 0;
    replica.call("session.store", { ...handle, afterMs });
    if (state !== "stored") {
      handle = must(replica.take(["k"])[0]);
      if (state === "dead") replica.call("session.store", handle);
    }
  }
  const story = { replica, handle };
  assert.equal(sessionState(story), state.split(",")[0], "the story begins well");
  return story;
}

function sessionState({ replica, handle: { session } }: SessionStory): string {
  return replica.list().includes(session) ? replica.get(session).state : "gone";
}

const epoch = "with its last epoch";
const data = bytes("x");

const sessionEvents: Readonly<Record<string, (story: SessionStory) => Outcome | void>> = {
  [`\`append\` ${epoch}`]: ({ replica, handle: { session, epoch: last } }) =>
    replica.outcome("session.append", { session, epoch: last, data }),
  [`\`replace\` ${epoch}`]: ({ replica, handle: { session, epoch: last } }) =>
    replica.outcome("session.replace", { session, epoch: last, data }),
  [`\`touch\` ${epoch}`]: ({ replica, handle }) => replica.outcome("session.touch", handle),
  [`\`store\` ${epoch}`]: ({ replica, handle }) => replica.outcome("session.store", handle),
  [`\`delete\` ${epoch}`]: ({ replica, handle }) => replica.outcome("session.delete", handle),
  "`append` with another epoch": ({ replica, handle: { session, epoch: last } }) =>
    replica.outcome("session.append", { session, epoch: last + 1, data }),
  "`delete` with another epoch": ({ replica, handle: { session, epoch: last } }) =>
    replica.outcome("session.delete", { session, epoch: last + 1 }),
  "`take` before its time": ({ replica }) => {
    replica.pass(shortMs - 1);
    replica.take(["k"]);
  },
  "`take` when its time has come": ({ replica }) => {
    replica.pass(shortMs);
    replica.take(["k"]);
  },
  "its owner is silent for too long": ({ replica }) => {
    replica.pass(shortMs);
    replica.apply(due);
  },
  "its owner's connection ends": ({ replica }) => void replica.apply(disconnected(alice)),
  "its owner's node starts again": ({ replica }) =>
    void replica.apply(restarted(alice.node, alice.run + 1)),
  "`revive`": ({ replica, handle: { session } }) => replica.outcome("session.revive", { session }),
  "its kind is closed": ({ replica }) => void replica.apply(kindsOperation([])),
};

/** The code of a refusal, which must have changed nothing, or the state that the event led to. */
function answerOf(
  outcome: Outcome | void,
  digests: { readonly before: number; readonly after: number },
  state: string,
): string {
  if (outcome?.kind !== "error") return state;
  assert.equal(digests.after, digests.before, `${outcome.code} changes nothing`);
  return outcome.code;
}

suite("docs/queues-and-sessions.md", () => {
  test("every cell of a task's life is as the page says", () => {
    const known = { states: taskStates, events: Object.keys(taskEvents) };
    play("### Life of a task", known, (event, state) => {
      const story = taskThatIs(state, event);
      const { replica } = story.world;
      const before = replica.state.digest;
      const outcome = must(taskEvents[event])(story);
      return answerOf(outcome, { before, after: replica.state.digest }, taskState(story));
    });
  });

  test("every cell of a session's life is as the page says", () => {
    const known = { states: sessionStates, events: Object.keys(sessionEvents) };
    play("### Life of a session", known, (event, state) => {
      const story = sessionThatIs(state, event);
      const before = story.replica.state.digest;
      const outcome = must(sessionEvents[event])(story);
      const after = story.replica.state.digest;
      return answerOf(outcome, { before, after }, sessionState(story));
    });
  });

  const tests = tableBehind("## Tests").slice(1);

  test("every guarantee names its tests, and no other is named", () => {
    const [prose = ""] = page.split("\n## Tests\n");
    const mentions = prose.matchAll(/\*\*([QS]\d+)\*\*/g);
    const numbers = [...new Set([...mentions].map(([, number = ""]) => number))];
    const named = [...new Set(tests.map(([number = ""]) => number))];
    assert.deepEqual(numbers, named, "in the order of the page");
    for (const letter of ["Q", "S"]) {
      const own = named.filter((number) => number.startsWith(letter));
      assert.deepEqual(
        own,
        own.map((_, i) => `${letter}${i + 1}`),
        "without gaps",
      );
    }
  });

  test("the tests that it names are there", () => {
    const missing = tests.filter(
      ([, file = "", title = ""]) => !titlesOf(file.replaceAll("`", "")).includes(title),
    );
    assert.deepEqual(missing, []);
  });
});

/** Titles of the tests of a file as its source has them; what is put into one is an ellipsis. */
function titlesOf(path: string): string[] {
  const source = readFileSync(join(root, path), "utf8");
  return [...source.matchAll(/\btest\(\s*(["`])(.*?)\1\s*,/gs)].map(([, , title = ""]) =>
    title.replaceAll(/\$\{[^}]*\}/g, "…"),
  );
}
