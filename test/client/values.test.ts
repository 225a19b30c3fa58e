/** What users write down: durations, definitions, schemas of three libraries. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { type } from "arktype";
import * as fc from "fast-check";
import * as v from "valibot";
import { z } from "zod";
import { TrubaError } from "../../src/base/errors.ts";
import { fromBase64, toBase64 } from "../../src/client/base64.ts";
import {
  queue,
  type QueueDefinition,
  type QueueOptions,
  records,
  session,
} from "../../src/client/definitions.ts";
import { type Duration, durationMs } from "../../src/client/duration.ts";
import { slotOf } from "../../src/placement/slots.ts";

function isBadValue(error: unknown): boolean {
  return error instanceof TrubaError && error.code === "BADVALUE";
}

suite("durations", () => {
  const good: readonly (readonly [Duration, number])[] = [
    [0, 0],
    [1_500, 1_500],
    ["250ms", 250],
    ["30s", 30_000],
    ["1.5s", 1_500],
    ["5m", 300_000],
    ["1h", 3_600_000],
    ["7d", 604_800_000],
    [1.4, 1],
  ];
  for (const [text, ms] of good)
    test(`${JSON.stringify(text)} is ${ms} ms`, () => assert.equal(durationMs(text, "x"), ms));
  for (const text of [
    "",
    "30",
    "s",
    "-1s",
    "1 s",
    "1w",
    "1e3s",
    "Infinitys",
    -1,
    Number.NaN,
    Infinity,
    2 ** 53,
  ])
    test(`${String(text) || "nothing"} is none`, () => {
      assert.throws(
        () => durationMs(text as Duration, "my delay"),
        (error) => isBadValue(error) && (error as Error).message.startsWith("my delay is "),
      );
    });
});

/** The same type in each library; `when` is transformed at the reader. */
const libraries = {
  zod: z.object({
    to: z.string(),
    lines: z.array(z.object({ n: z.number() })),
    when: z.coerce.date(),
  }),
  valibot: v.object({
    to: v.string(),
    lines: v.array(v.object({ n: v.number() })),
    when: v.pipe(
      v.string(),
      v.transform((text) => new Date(text)),
    ),
  }),
  arktype: type({ to: "string", lines: type({ n: "number" }).array(), when: "string.date.parse" }),
};

suite("schemas (Standard Schema)", () => {
  for (const [name, schema] of Object.entries(libraries)) {
    const { values } = queue("typed", { schema });
    const good = { to: "ann", lines: [{ n: 1 }, { n: 2 }], when: "2026-01-02T03:04:05.000Z" };

    test(`${name}: what is pushed is JSON, what is read is what the schema makes of it`, async () => {
      const bytes = await values.encode(good);
      assert.deepEqual(JSON.parse(new TextDecoder().decode(bytes)), good);
      const read = (await values.decode(bytes)) as unknown as { when: Date };
      assert.deepEqual(read, { ...good, when: new Date(good.when) });
    });

    test(`${name}: what does not fit is refused, with its place`, () => {
      const bad = { ...good, lines: [{ n: 1 }, { n: "two" as unknown as number }] };
      assert.throws(
        () => values.encode(bad),
        (error) =>
          isBadValue(error) &&
          /queue "typed"/.test((error as Error).message) &&
          /lines(\[1\]|\.1)\.n/.test((error as Error).message),
      );
      assert.throws(() => values.decode(new TextEncoder().encode("{}")), isBadValue);
      assert.throws(() => values.decode(new TextEncoder().encode("{")), isBadValue);
      assert.throws(() => values.decode(Uint8Array.of(0x22, 0xff, 0x22)), isBadValue);
    });
  }

  test("a schema may be asynchronous", async () => {
    const { values } = records({
      schema: z.string().refine(async (text) => Promise.resolve(text !== "no")),
    });
    assert.equal(await values.decode(await values.encode("yes")), "yes");
    await assert.rejects(async () => values.encode("no"), isBadValue);
  });

  test("what would not come back as it was is refused at once: JSON has no dates, functions or bigints", () => {
    const { values } = queue("dates", { schema: z.object({ at: z.date() }) });
    assert.throws(() => values.encode({ at: new Date() }), /at: .*date/i);
    const any = queue("any", { schema: z.any() }).values;
    assert.throws(() => any.encode(1n), isBadValue);
    assert.throws(() => any.encode(undefined), isBadValue);
    assert.throws(() => any.encode(() => 1), isBadValue);
  });

  test("without a schema a value is bytes, or text as UTF-8, and nothing else", () => {
    const { values } = queue("raw");
    assert.deepEqual([...(values.encode("é") as Uint8Array)], [0xc3, 0xa9]);
    const bytes = Uint8Array.of(1, 2);
    assert.equal(values.encode(bytes), bytes);
    assert.throws(() => values.encode({} as unknown as string), /not an object/);
    assert.throws(() => values.encode(7 as unknown as string), /not number/);
  });
});

function typeFor(priorities: QueueOptions["priorities"] & {}): string | undefined {
  return queue("q", { priorities }).settings.implementation;
}

/** `true` if the two are one type; the compiler refuses the assignment otherwise. */
type Same<A, B> = [A, B] extends [B, A] ? true : false;
type TypesOf<D> = D extends QueueDefinition<infer In, infer Out> ? [In, Out] : never;

suite("definitions", () => {
  test("have the types of their schemas: what goes in, and what comes out", () => {
    const ofZod = queue("q", { schema: z.object({ n: z.number().default(1) }) });
    const zodTypes: Same<TypesOf<typeof ofZod>, [{ n?: number | undefined }, { n: number }]> = true;
    const ofValibot = queue("q", { schema: v.pipe(v.string(), v.transform(Number)) });
    const valibotTypes: Same<TypesOf<typeof ofValibot>, [string, number]> = true;
    const ofArktype = queue("q", { schema: type("string.numeric.parse") });
    const arktypeTypes: Same<TypesOf<typeof ofArktype>, [string, number]> = true;
    const raw = queue("q");
    const rawTypes: Same<TypesOf<typeof raw>, [Uint8Array | string, Uint8Array]> = true;
    assert.deepEqual([zodTypes, valibotTypes, arktypeTypes, rawTypes], [true, true, true, true]);
  });

  test("priorities decide the type: none, a small range, a large one, any", () => {
    assert.equal(queue("q").settings.implementation, "fifo");
    assert.equal(typeFor("any"), "priority");
    assert.equal(typeFor({ min: 0, max: 9 }), "range");
    assert.equal(typeFor({ min: 0, max: 65_535 }), "range");
    assert.equal(typeFor({ min: 0, max: 65_536 }), "priority");
    assert.equal(typeFor({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), "priority");
    assert.throws(() => typeFor({ min: 0.5, max: 2 }), isBadValue);
  });

  test("deadLetter: true names a queue on the slot of its own", () => {
    for (const name of ["emails", "mail{eu}", "{a}b"]) {
      const dead = queue(name, { deadLetter: true }).settings.deadLetter;
      assert.ok(typeof dead === "string" && dead !== name && dead.endsWith(".dead"));
      assert.equal(slotOf(Buffer.from(dead)), slotOf(Buffer.from(name)), `${dead} of ${name}`);
    }
    for (const name of ["a}b", "{}x", "a}{b"])
      assert.throws(() => queue(name, { deadLetter: true }), isBadValue);
  });

  test("settings are in milliseconds; what is not said is not set", () => {
    assert.deepEqual(queue("q", { lease: "2s", dedupWindow: "1m", maxDeliveries: 3 }).settings, {
      implementation: "fifo",
      leaseMs: 2_000,
      dedupMs: 60_000,
      maxDeliveries: 3,
    });
    assert.deepEqual(session("s", { delay: "1s", silence: "1m", repeats: 0, number: 7 }).settings, {
      number: 7,
      delayMs: 1_000,
      maxRepeats: 0,
      silenceMs: 60_000,
    });
    assert.throws(() => session("s", { spread: "soon" as "1s" }), /spread of session kind "s"/);
  });
});

test("base64: any bytes come back, as RFC 4648 writes them", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20_000 }), (bytes) => {
      assert.equal(toBase64(bytes), Buffer.from(bytes).toString("base64"));
      assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
    }),
    { numRuns: 50 },
  );
});
