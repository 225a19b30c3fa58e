import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { limits } from "../../../src/base/limits.ts";
import { OperationWriter, operationCodes } from "../../../src/machines/operation.ts";
import {
  parseSessionId,
  sessionIdText,
  sessionSlot,
} from "../../../src/machines/sessions/session-id.ts";
import {
  type SessionVerb,
  kindsOperation,
  sessionOperation,
} from "../../../src/machines/sessions/session-operation.ts";
import { sessionResponse } from "../../../src/machines/sessions/session-response.ts";
import { slotOf } from "../../../src/placement/slots.ts";
import { bytes, kind } from "./session-replica.ts";

const context = { owner: { node: 1, run: 2, connection: 3 }, tag: "t" };
const session = "{t}00000000000000ff";

/** The bytes of a body, in hexadecimal. */
function hexOf(verb: SessionVerb, request: object): string {
  const operation = sessionOperation(verb, request as never, context);
  const writer = new OperationWriter();
  writer.begin(operation.code, undefined);
  operation.encode(writer);
  writer.end();
  return writer.take().subarray(6).toString("hex");
}

/** Hexadecimal, in pieces as they are drawn. */
function hex(...pieces: string[]): string {
  return pieces.join("");
}

const owner = hex("000000000000f03f", "0000000000000040", "0000000000000840");
const id = hex("0174", "0000000000e06f40");
const epoch = "0000000000001c40";

suite("session-operation: bytes (DESIGN §3: they stand in logs for ever)", () => {
  const table: readonly (readonly [SessionVerb, object, string])[] = [
    ["session.new", { kind: "k" }, hex(`${owner}00`, "0174", "016b")],
    ["session.new", { kind: "k", data: bytes("") }, hex(`${owner}01`, "0174", "016b")],
    [
      "session.new",
      { kind: "k", data: bytes("AB"), tag: "Ё", detached: true },
      hex(`${owner}03`, "02d081", "016b", "4142"),
    ],
    ["session.new", { kind: "k", detached: false }, hex(`${owner}00`, "0174", "016b")],
    ["session.append", { session, epoch: 7, data: bytes("AB") }, `${id}${epoch}4142`],
    ["session.replace", { session, epoch: 7, data: bytes("") }, `${id}${epoch}`],
    ["session.touch", { session, epoch: 7 }, `${id}${epoch}`],
    ["session.delete", { session, epoch: 7 }, `${id}${epoch}`],
    ["session.store", { session, epoch: 7 }, `${id}${epoch}000000000000f0bf`],
    ["session.store", { session, epoch: 7, afterMs: 0 }, `${id}${epoch}0000000000000000`],
    [
      "session.take",
      { kinds: ["k", "mail", "k"] },
      hex(`${owner}0100`, "0200", "016b", "046d61696c"),
    ],
    ["session.take", { kinds: ["k"], count: 1_024 }, hex(`${owner}0004`, "0100", "016b")],
    ["session.revive", { session }, id],
  ];
  for (const [verb, request, expected] of table)
    test(`${verb} ${JSON.stringify(request)}`, () => assert.equal(hexOf(verb, request), expected));

  test("kinds", () => {
    const writer = new OperationWriter();
    const operation = kindsOperation([kind("ab", { number: 7, spreadMs: 1 })]);
    assert.deepEqual([operation.code, operation.slot], [operationCodes.sessionKinds, 0]);
    writer.begin(operation.code, undefined);
    operation.encode(writer);
    writer.end();
    const settings = ["88b340", "f03f", "3440", "3041", "4cdd40"]
      .map((end) => end.padStart(16, "0"))
      .join("");
    assert.equal(writer.take().subarray(6).toString("hex"), `010007000000${settings}026162`);
  });

  test("kinds that were not checked are a bug of ours", () => {
    assert.throws(() => kindsOperation([kind("a b")]), { name: "AssertionError" });
  });
});

suite("session-operation: slots", () => {
  test("a session is on the partition of its tag, as a record of that tag", () => {
    for (const tag of ["t", "user 7", "Ёж", "{", "0123456789abcdef".repeat(4)]) {
      const text = sessionIdText(255, tag);
      const slot = slotOf(Buffer.from(`{${tag}}0d5d3807-5fbf-4228-a657-5a091c4e497f`));
      assert.equal(sessionSlot(text), slot, tag);
      assert.equal(
        sessionOperation("session.touch", { session: text, epoch: 1 }, context).slot,
        slot,
      );
      assert.equal(sessionOperation("session.revive", { session: text }, context).slot, slot);
      assert.equal(sessionOperation("session.new", { kind: "k", tag }, context).slot, slot);
      assert.equal(sessionOperation("session.new", { kind: "k" }, { ...context, tag }).slot, slot);
    }
  });
});

suite("session-operation: what is checked before the log", () => {
  const long = Buffer.alloc(limits.valueMaxBytes + 1);
  const bad: readonly (readonly [SessionVerb, object, string])[] = [
    ["session.new", {}, "BADVALUE"],
    ["session.new", { kind: "a,b" }, "BADVALUE"],
    ["session.new", { kind: 7 }, "BADVALUE"],
    ["session.new", { kind: "k", data: "text" }, "BADVALUE"],
    ["session.new", { kind: "k", data: long }, "TOOLARGE"],
    ["session.new", { kind: "k", detached: "yes" }, "BADVALUE"],
    ["session.new", { kind: "k", tag: "" }, "BADVALUE"],
    ["session.new", { kind: "k", tag: "a}b" }, "BADVALUE"],
    ["session.new", { kind: "k", tag: "a\nb" }, "BADVALUE"],
    ["session.new", { kind: "k", tag: "\ud800" }, "BADVALUE"],
    ["session.new", { kind: "k", tag: "x".repeat(65) }, "BADVALUE"],
    ["session.new", { kind: "k", tag: "Ё".repeat(33) }, "BADVALUE"],
    ["session.new", { kind: "k", tag: 7 }, "BADVALUE"],
    ["session.append", { session, epoch: 1 }, "BADVALUE"],
    ["session.append", { session, epoch: 1, data: long }, "TOOLARGE"],
    ["session.replace", { session, epoch: 1, data: long }, "TOOLARGE"],
    ["session.replace", { session, epoch: 1, data: [1] }, "BADVALUE"],
    ["session.touch", { session }, "BADVALUE"],
    ["session.touch", { session, epoch: -1 }, "BADVALUE"],
    ["session.touch", { session, epoch: 1.5 }, "BADVALUE"],
    ["session.touch", { session, epoch: 2 ** 53 }, "BADVALUE"],
    ["session.touch", { session, epoch: "1" }, "BADVALUE"],
    ["session.delete", { session: "x", epoch: 1 }, "BADSESSION"],
    ["session.store", { session, epoch: 1, afterMs: -1 }, "BADVALUE"],
    ["session.store", { session, epoch: 1, afterMs: 0.5 }, "BADVALUE"],
    ["session.store", { session, epoch: 1, afterMs: limits.delayMaxMs + 1 }, "BADVALUE"],
    ["session.take", { kinds: [] }, "BADVALUE"],
    ["session.take", { kinds: "k" }, "BADVALUE"],
    ["session.take", { kinds: ["a b"] }, "BADVALUE"],
    ["session.take", { kinds: Array.from({ length: 257 }, (_, i) => `k${i}`) }, "BADVALUE"],
    ["session.take", { kinds: ["k"], count: 0 }, "BADVALUE"],
    ["session.take", { kinds: ["k"], count: 1_025 }, "BADVALUE"],
    ["session.revive", { session: undefined }, "BADSESSION"],
    ["session.get", { session }, "NOTSUPPORTED"],
    ["session.list", {}, "NOTSUPPORTED"],
    ["session.kinds", {}, "NOTSUPPORTED"],
  ];
  for (const [verb, request, code] of bad)
    test(`${verb} ${JSON.stringify(request, (_, value: unknown) => (value === long ? "1 MiB and a byte" : value)).slice(0, 80)} is ${code}`, () => {
      assert.throws(() => hexOf(verb, request), { name: "TrubaError", code });
    });

  test("the ends of all ranges can be asked for", () => {
    const most = Number.MAX_SAFE_INTEGER;
    hexOf("session.new", {
      kind: "k".repeat(64),
      tag: "Ё".repeat(32),
      data: Buffer.alloc(limits.valueMaxBytes),
    });
    hexOf("session.touch", { session: `{t}${most.toString(16).padStart(16, "0")}`, epoch: most });
    hexOf("session.store", { session, epoch: 0, afterMs: limits.delayMaxMs });
    hexOf("session.take", { kinds: Array.from({ length: 256 }, (_, i) => `k${i}`), count: 1_024 });
  });
});

suite("session-id", () => {
  test("the text is {tag} and 16 hexadecimal digits, and reads back", () => {
    for (const [number, tag, text] of [
      [1, "t", "{t}0000000000000001"],
      [Number.MAX_SAFE_INTEGER, "a{b", "{a{b}001fffffffffffff"],
      [255, "Ёж 7", "{Ёж 7}00000000000000ff"],
    ] as const) {
      assert.equal(sessionIdText(number, tag), text);
      assert.deepEqual(parseSessionId(text), { number, tag: Buffer.from(tag) });
    }
  });

  test("anything else is BADSESSION, said with the text, but not all of a long one", () => {
    const bad = [
      "",
      "7",
      "{t}",
      "t0000000000000001",
      "{}0000000000000001",
      "{t}000000000000001",
      "{t}00000000000000001",
      "{t}00000000000000FF",
      "{t}0020000000000000",
      "{t}-000000000000001",
      "{a}b}0000000000000001",
      " {t}0000000000000001",
      "{t}0000000000000001 ",
      "{t\n}0000000000000001",
      `{${"x".repeat(65)}}0000000000000001`,
      `{${"Ё".repeat(33)}}0000000000000001`,
      "{\udc00}0000000000000001",
      "x".repeat(1_000_000),
    ];
    for (const text of bad)
      assert.throws(
        () => parseSessionId(text),
        (error: Error & { code: string }) =>
          error.code === "BADSESSION" && error.message.length < 250,
        text.slice(0, 50),
      );
  });
});

suite("session-response", () => {
  const outcome = {
    kind: "session",
    session,
    epoch: 7,
    dueAtMs: 9,
    recordsCount: 2,
    bytes: 3,
  } as const;
  test("each verb answers its part of the outcome", () => {
    const answers = [
      ["session.new", "created", { session, epoch: 7 }],
      ["session.append", "appended", { recordsCount: 2, bytes: 3 }],
      ["session.replace", "replaced", { recordsCount: 2, bytes: 3 }],
      ["session.touch", "touched", { dueAtMs: 9 }],
      ["session.delete", "deleted", { deleted: true }],
      ["session.store", "stored", { status: "stored", dueAtMs: 9 }],
      ["session.store", "dead", { status: "dead", dueAtMs: 9 }],
      ["session.revive", "stored", { status: "stored", dueAtMs: 9 }],
    ] as const;
    for (const [verb, status, response] of answers)
      assert.deepEqual(sessionResponse(verb, { ...outcome, status }), response);
    assert.deepEqual(sessionResponse("session.take", { kind: "sessions", sessions: [] }), {
      sessions: [],
    });
  });

  test("an outcome of something else is a bug of ours", () => {
    assert.throws(() => sessionResponse("session.touch", { kind: "done" }), {
      name: "AssertionError",
    });
    assert.throws(() => sessionResponse("session.take", { ...outcome, status: "stored" }), {
      name: "AssertionError",
    });
  });
});
