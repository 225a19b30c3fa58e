/** Calls as requests of verbs: what the words of RESP mean, exactly. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { TrubaError } from "../../src/base/errors.ts";
import { RespDecoder } from "../../src/protocol/resp-decoder.ts";
import type { VerbField } from "../../src/protocol/verb-facts.ts";
import { type TableVerb, tableVerbs, verbs } from "../../src/protocol/verbs.ts";
import { commandTable } from "../../src/server/command-table.ts";
import { type ParsedRequest, VerbParser } from "../../src/server/verb-call.ts";
import { request } from "./test-server.ts";

function parse(verb: TableVerb, ...words: readonly string[]): ParsedRequest {
  const decoder = new RespDecoder();
  decoder.push(Buffer.from(request(verb, ...words), "latin1"));
  assert.equal(decoder.next(), "command");
  return new VerbParser(verb.toUpperCase(), verbs[verb].fields).parse(decoder);
}

function refused(code: string, verb: TableVerb, ...words: readonly string[]): void {
  assert.throws(
    () => parse(verb, ...words),
    (error: unknown) => error instanceof TrubaError && error.code === code,
    `${verb} ${words.join(" ")}`,
  );
}

function priority(text: string): unknown {
  return parse("queue.push", "q", "", "PRIORITY", text)["priority"];
}

function delay(text: string): unknown {
  return parse("queue.push", "q", "", "DELAY", text)["delayMs"];
}

const table = new Map(commandTable().map((command) => [command.name, command]));

function namesOf(role: string): readonly string[] {
  return [...table.values()].filter((each) => each.role === role).map(({ name }) => name);
}

suite("a call as a request", () => {
  test("fields have their places, options come in any order and any case", () => {
    const payload = Buffer.from("hello");
    assert.deepEqual(parse("queue.push", "jobs", "hello"), { queue: "jobs", payload });
    const wanted = { queue: "jobs", payload, priority: -7, delayMs: 250, dedup: "é" };
    const dedup = Buffer.from("é", "utf8").toString("latin1");
    const options = [
      ["PRIORITY", "-7"],
      ["delay", "0.25"],
      ["Dedup", dedup],
    ];
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 2, 0],
    ])
      assert.deepEqual(
        parse("queue.push", "jobs", "hello", ...order.flatMap((i) => options[i] ?? [])),
        wanted,
      );
  });

  test("a word may be the value of a field that has its place", () => {
    const payload = Buffer.from("PRIORITY");
    assert.deepEqual(parse("queue.push", "DELAY", "PRIORITY", "PRIORITY", "1"), {
      queue: "DELAY",
      payload,
      priority: 1,
    });
  });

  test("a name that comes again and again is the same, and another is another", () => {
    const decoder = new RespDecoder();
    const parser = new VerbParser("QUEUE.COUNT", verbs["queue.count"].fields);
    const names = [
      "a",
      "a",
      "b",
      "ab",
      "a",
      "",
      "x".repeat(64),
      "x".repeat(65),
      "x".repeat(64),
      "y".repeat(300),
    ];
    decoder.push(Buffer.from(names.map((name) => request("QUEUE.COUNT", name)).join("")));
    for (const name of names) {
      assert.equal(decoder.next(), "command");
      assert.deepEqual(parser.parse(decoder), { queue: name });
    }
  });

  test("integers of 64 bits are exact: numbers where they fit, bigints beyond", () => {
    assert.equal(priority("9007199254740991"), Number.MAX_SAFE_INTEGER);
    assert.equal(priority("9007199254740993"), 9_007_199_254_740_993n);
    assert.equal(priority("-9007199254740993"), -9_007_199_254_740_993n);
    assert.equal(priority("9223372036854775807"), 2n ** 63n - 1n);
    assert.equal(priority("-9223372036854775808"), -(2n ** 63n));
    assert.ok(Object.is(priority("-0"), 0));
    assert.equal(priority("0000000000000000000000007"), 7);
    for (const bad of [
      "9223372036854775808",
      "-9223372036854775809",
      "",
      "-",
      "1.0",
      "0x10",
      "1e3",
      " 1",
      "９",
      "9".repeat(1_000_000),
    ])
      refused("BADVALUE", "queue.push", "q", "", "PRIORITY", bad);
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const parsed = priority(String(value)) as number | bigint;
        assert.equal(BigInt(parsed), value);
        assert.equal(typeof parsed === "number", Number.isSafeInteger(Number(value)));
      }),
    );
  });

  test("durations are milliseconds, exactly; what is finer is rounded up", () => {
    for (const [text, ms] of [
      ["0", 0],
      ["1", 1_000],
      ["0.001", 1],
      ["0.0001", 1],
      ["0.0000", 0],
      ["1.005", 1_005],
      ["4.35", 4_350],
      ["4.3500001", 4_351],
      ["0.1", 100],
      ["315576000", 315_576_000_000],
      ["9999999999.999", 9_999_999_999_999],
    ] as const)
      assert.equal(delay(text), ms, text);
    for (const bad of [
      "",
      ".",
      ".5",
      "5.",
      "-1",
      "+1",
      "1s",
      "1.5.5",
      "1e3",
      "NaN",
      "Infinity",
      "10000000000",
    ])
      refused("BADVALUE", "queue.push", "q", "", "DELAY", bad);
  });

  test("leases are pairs, as many as there are, with options behind them", () => {
    assert.deepEqual(parse("queue.nack", "q", "1", "2", "3", "4", "UNCOUNTED", "DELAY", "1"), {
      queue: "q",
      leases: [
        { task: 1, lease: 2 },
        { task: 3, lease: 4 },
      ],
      uncounted: true,
      delayMs: 1_000,
    });
    refused("ERR", "queue.ack", "q", "1");
    refused("ERR", "queue.ack", "q", "1", "2", "3");
    refused("BADVALUE", "queue.ack", "q", "0", "2");
    refused("BADVALUE", "queue.ack", "q", "1", "-2");
    refused("BADVALUE", "queue.ack", "q", "1", "DELAY");
    refused("ERR", "queue.ack", "q", "1", "2", "DELAY", "1");
  });

  test("NONE takes a setting away, where it can be taken away", () => {
    assert.deepEqual(parse("queue.alter", "q", "MAXSIZE", "none", "DEADLETTER", "NONE"), {
      queue: "q",
      maxSize: null,
      deadLetter: null,
    });
    refused("BADVALUE", "queue.alter", "q", "LEASE", "NONE");
    refused("ERR", "queue.alter", "q", "MAXSIZE", "NONE", "MAXSIZE", "1");
  });

  test("what the error table has a code for has it", () => {
    refused("BADIMPLEMENTATION", "queue.create", "q", "TYPE", "stack");
    refused("BADMAXSIZE", "queue.create", "q", "MAXSIZE", "-1");
    refused("BADMAXPAYLOAD", "queue.create", "q", "MAXPAYLOAD", "1.5");
    refused("BADVALUE", "queue.push", "q", "", "DEDUP", "\xff");
  });

  test("whatever the words are, a call is a request of fields of its verb, or refused with a code", () => {
    const word = fc.oneof(
      fc.string({ unit: "binary", maxLength: 6 }),
      fc.constantFrom(
        ...new Set(
          tableVerbs.flatMap((verb) =>
            (verbs[verb].fields as readonly VerbField[]).map(({ word: text }) => text ?? "x"),
          ),
        ),
      ),
      fc.constantFrom("1", "0", "NONE", "waiting", "fifo", "-5", "0.5"),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...tableVerbs),
        fc.array(word, { maxLength: 8 }),
        (verb, words) => {
          const bytes = words.map((text) => Buffer.from(text, "utf8").toString("latin1"));
          const fields = verbs[verb].fields as readonly VerbField[];
          let parsed: ParsedRequest;
          try {
            parsed = parse(verb, ...bytes);
          } catch (error) {
            assert.ok(error instanceof TrubaError, String(error));
            return;
          }
          const names = new Set(fields.map(({ name }) => name));
          for (const [name, value] of Object.entries(parsed)) {
            assert.ok(names.has(name), name);
            assert.notEqual(value, undefined);
          }
          for (const { name, word: option } of fields)
            if (option === undefined) assert.ok(name in parsed, `${verb} lacks ${name}`);
        },
      ),
      { numRuns: 3_000 },
    );
  });
});

suite("commands of verbs", () => {
  test("every verb is a command, with the role and the kind of its facts", () => {
    for (const verb of tableVerbs) {
      const command = table.get(verb.toUpperCase());
      assert.ok(command !== undefined, verb);
      const { kind } = verbs[verb];
      assert.equal(command.role, kind === "read" ? "read" : "write", verb);
      const wanted = { read: "plain", write: "write", take: "log", admin: "log" } as const;
      assert.equal(command.kind, wanted[kind], verb);
      const [first] = verbs[verb].fields as readonly VerbField[];
      const hasKey = first?.type === "queue" || first?.type === "session";
      assert.deepEqual(command.keys, hasKey ? [1, 1, 1] : [0, 0, 0], verb);
    }
  });

  test("what a role may not do has a role above it", () => {
    assert.deepEqual(namesOf("none").toSorted(), ["AUTH", "HELLO", "QUIT", "RESET"]);
    for (const { name, role, flags } of table.values())
      if (flags.includes("write") && name !== "FCALL")
        assert.equal(role, name === "DOC.EVICT" ? "admin" : "write", name);
  });
});
