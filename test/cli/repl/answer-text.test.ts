/** Answers and help as people read them. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { answerOf } from "../../../src/cli/repl/answer-text.ts";
import { helpAnswer } from "../../../src/cli/repl/help-text.ts";
import type { TypedRequest } from "../../../src/cli/repl/typed-line.ts";
import { factsOf, typedName } from "../../../src/cli/repl/verb-usage.ts";
import { RespError } from "../../../src/protocol/resp-reply.ts";
import type { RespReply } from "../../../src/protocol/resp-reply.ts";
import { tableVerbs } from "../../../src/protocol/verbs.ts";

const pipe = { isTerminal: false, hasColors: false };
const terminal = { isTerminal: true, hasColors: false };
const colors = { isTerminal: true, hasColors: true };
const pushedAtMs = Date.UTC(2026, 10, 21, 6, 35, 49, 123);

suite("answers of records, in Warehouse's words", () => {
  for (const [status, copies, text] of [
    ["created", 2, "Created (2 replicas)"],
    ["created", 1, "Created (1 replicas)"],
    ["updated", 3, "Updated (3 replicas)"],
    ["deleted", 2, "Deleted (2 replicas)"],
    ["missing", 0, "Not found"],
  ] as const) {
    test(text, () => {
      const answer = answerOf(asked("SET"), map({ status, copies, version: 5 }), pipe);
      assert.deepEqual(answer, { text, succeeded: true });
    });
  }

  test("an error is Error: and its text, without its code", () => {
    const error = new RespError("BADKEY Key is not a proper UUID4");
    const text = "Error: Key is not a proper UUID4";
    assert.deepEqual(answerOf(asked("SET"), error, pipe), { text, succeeded: false });
  });

  test("a pipe gets a value to the byte; a terminal no command of it, and hexadecimal where it is no text", () => {
    const get = (bytes: Buffer, screen: typeof pipe): unknown =>
      answerOf(asked("GET"), map({ status: "found", value: bytes }), screen).text;
    const plain = Buffer.from(`'{"name": "Chapayev's Mustache comb"}'`);
    assert.equal(get(plain, terminal), plain.toString());
    assert.deepEqual(get(plain, pipe), plain);
    const evil = Buffer.from("a\tb\n\u001b[2Jc\u009b");
    assert.equal(get(evil, terminal), "a\tb\n\\u001b[2Jc\\u009b");
    assert.deepEqual(get(evil, pipe), evil);
    const binary = Buffer.from([0xff, 0x00]);
    assert.equal(get(binary, terminal), "0xff00");
    assert.deepEqual(get(binary, pipe), binary);
    assert.equal(get(Buffer.alloc(0), terminal), "");
  });

  test("no value is Not found, and no failure", () => {
    const answer = answerOf(asked("GET"), map({ status: "missing", value: null }), pipe);
    assert.deepEqual(answer, { text: "Not found", succeeded: true });
  });
});

suite("answers of queues and sessions", () => {
  test("one thing is names and values, ids as they must be typed again", () => {
    const text = answerOf(asked("queue.push"), map({ task: 1234567, duplicate: false }), pipe).text;
    assert.equal(text, "task       1234567\nduplicate  no");
  });

  test("durations are in seconds, moments in UTC, what is not set is a dash", () => {
    const stats = { queue: "emails", leaseMs: 1_500, deadLetter: null, createdAtMs: pushedAtMs };
    const text = answerOf(asked("queue.stats"), map({ ...stats, nextPushedAtMs: 0 }), pipe).text;
    assert.deepEqual(String(text).split("\n"), [
      "queue           emails",
      "lease           1.5 s",
      "dead letter     -",
      "created at      2026-11-21 06:35:49.123Z",
      "next pushed at  -",
    ]);
  });

  test("tasks are a table, payloads as text or hexadecimal, on one line", () => {
    const task = { task: 17, priority: 2n ** 63n - 1n, pushedAtMs };
    const tasks = [
      map({ ...task, payload: "hello\nworld" }),
      map({ ...task, task: 18, payload: Buffer.from([0xff]) }),
    ];
    const text = answerOf(asked("queue.pop"), map({ tasks }), pipe).text;
    assert.deepEqual(String(text).split("\n"), [
      "task             priority  pushed at                 payload",
      "  17  9223372036854775807  2026-11-21 06:35:49.123Z  hello\\u000aworld",
      "  18  9223372036854775807  2026-11-21 06:35:49.123Z  0xff",
    ]);
  });

  test("the head of a table is bold where there are colours", () => {
    const reply = map({ kinds: [map({ kind: "order", number: 1 })] });
    const text = answerOf(asked("session.kinds"), reply, colors).text;
    assert.equal(text, "\u001b[1mkind   number\u001b[0m\norder       1");
  });

  test("things beside a list stand above its table", () => {
    const member = { source: "n1", kind: "self" };
    const reply = map({ name: "default", members: [map(member)], total: 3 });
    const text = answerOf(asked("doc.status"), reply, pipe).text;
    assert.deepEqual(String(text).split("\n"), [
      "name   default",
      "total  3",
      "",
      "source  kind",
      "n1      self",
    ]);
  });

  test("a list of queues shows what fits on a line", () => {
    const queue = { queue: "a", implementation: "fifo", maxSize: null, waiting: 3, dead: 0 };
    const text = String(
      answerOf(asked("queue.list"), map({ queues: [map({ ...queue })] }), pipe).text,
    );
    assert.match(text, /^queue +implementation +order +paused +waiting +delayed +leased +dead /);
    assert.ok(!text.includes("max size"));
  });

  test("nothing is said so", () => {
    const text = answerOf(asked("queue.pop"), map({ tasks: [] }), pipe).text;
    assert.equal(text, "No tasks");
    const lost = answerOf(asked("queue.ack"), map({ settled: 1, lost: [] }), pipe).text;
    assert.equal(lost, "settled  1\nlost     -");
    const some = answerOf(asked("queue.ack"), map({ settled: 1, lost: [7, 9] }), pipe).text;
    assert.equal(some, "settled  1\nlost     7, 9");
  });

  test("records of a session stand one below the other", () => {
    const session = { session: "{t}0000000000000001", epoch: 5, records: ["one", "two"] };
    const expected = [
      "session   {t}0000000000000001",
      "epoch     5",
      "record 1  one",
      "record 2  two",
    ];
    const one = answerOf(asked("session.get"), map(session), pipe).text;
    assert.deepEqual(String(one).split("\n"), expected);
    const sessions = [map(session), map(session)];
    const two = answerOf(asked("session.take"), map({ sessions }), pipe).text;
    assert.deepEqual(String(two).split("\n"), [...expected, "", ...expected]);
  });
});

suite("help", () => {
  test("all verbs of the tables are listed, and each is explained", () => {
    const all = String(helpAnswer("", pipe).text);
    for (const verb of tableVerbs) {
      assert.ok(all.includes(`  ${typedName(verb)}`), verb);
      for (const topic of [typedName(verb), verb.toUpperCase()]) {
        const { text, succeeded } = helpAnswer(topic, pipe);
        assert.ok(succeeded && String(text).includes(factsOf(verb).help), topic);
        for (const field of factsOf(verb).fields) assert.ok(String(text).includes(field.help));
      }
    }
    for (const name of ["SET key value", "GET key", "DELETE key", "exit", "auth token"])
      assert.ok(all.includes(`  ${name}`), name);
  });

  test("a group and a command of records", () => {
    const group = String(helpAnswer("session", pipe).text);
    assert.ok(group.includes("session new kind") && !group.includes("queue push"));
    assert.match(String(helpAnswer("set", pipe).text), /^SET key value\n/);
  });

  test("what there is not is an error that guesses", () => {
    const { text, succeeded } = helpAnswer("queue psh", pipe);
    assert.equal(succeeded, false);
    assert.equal(text, 'Error: there is no command "queue psh"; did you mean queue push?');
  });
});

function asked(verb: TypedRequest["verb"]): TypedRequest {
  return {
    kind: "request",
    verb,
    words: [],
    writes: false,
    takesRequestId: false,
    onlyOnce: false,
  };
}

/** A map as a node sends it: names and texts as bulk strings. */
function map(fields: Readonly<Record<string, unknown>>): Map<RespReply, RespReply> {
  return new Map(Object.entries(fields).map(([name, value]) => [Buffer.from(name), sent(value)]));
}

function sent(value: unknown): RespReply {
  if (typeof value === "string") return Buffer.from(value);
  return Array.isArray(value) ? value.map(sent) : (value as RespReply);
}
