import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import { errorCodes } from "../../../src/base/errors.ts";
import { type JsonSchema, exampleOf, jsonSchemaOf } from "../../../src/server/http/json-schema.ts";
import { allVerbs, verbSchemas } from "../../../src/server/http/verb-schemas.ts";
import { fromWire, toWire } from "../../../src/server/http/wire.ts";
import { tableVerbs } from "../../../src/protocol/verbs.ts";
import { HttpWorld } from "./http-world.ts";

/** Kinds of zod schemas that JSON Schema says in full. */
const sayable = new Set([
  "object",
  "string",
  "number",
  "boolean",
  "array",
  "union",
  "enum",
  "literal",
  "null",
  "nullable",
  "optional",
  "record",
  "unknown",
]);
/** Checks that it says in full. */
const sayableChecks = new Set([
  "greater_than",
  "less_than",
  "number_format",
  "min_length",
  "max_length",
  "string_format",
]);

function lossesOf(schema: z.core.$ZodType, path: string): string[] {
  const { def } = schema._zod;
  const losses: string[] = [];
  if (!sayable.has(def.type)) losses.push(`${path}: ${def.type}`);
  if ("coerce" in def && def.coerce === true) losses.push(`${path}: coerce`);
  for (const check of def.checks ?? []) {
    const kind = check._zod.def.check;
    if (!sayableChecks.has(kind)) losses.push(`${path}: check ${kind}`);
  }
  const inner: [string, z.core.$ZodType][] = [];
  if (schema instanceof z.ZodObject)
    inner.push(...(Object.entries(schema.shape) as [string, z.core.$ZodType][]));
  if (schema instanceof z.ZodArray) inner.push(["[]", schema.element]);
  if (schema instanceof z.ZodUnion)
    schema.options.forEach((each, i) => inner.push([`|${i}`, each]));
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable)
    inner.push(["", schema.unwrap()]);
  if (schema instanceof z.ZodRecord) inner.push(["{}", schema.valueType]);
  for (const [name, each] of inner) losses.push(...lossesOf(each, `${path}.${name}`));
  return losses;
}

suite("HTTP: schemas", () => {
  test("there is one for every verb of the vocabulary", () => {
    const records = ["record.set", "record.delete", "record.get", "record.check"];
    assert.deepEqual([...allVerbs].sort(), [...records, ...tableVerbs].sort());
  });

  test("JSON Schema says all of them in full: no refinement, transform, coercion or bigint", async () => {
    for (const verb of allVerbs)
      for (const side of ["request", "response"] as const)
        assert.deepEqual(lossesOf(verbSchemas[verb][side], `${verb} ${side}`), []);
    await using world = await HttpWorld.start();
    for (const { id, body, query, answers } of world.routes) {
      const schemas = [body?.json, query, ...Object.values(answers).map(({ json }) => json)];
      for (const schema of schemas)
        if (schema !== undefined) assert.deepEqual(lossesOf(schema, id), []);
    }
  });

  test("the check finds what would be lost", () => {
    const lossy = {
      refine: z.string().refine((text) => text !== ""),
      transform: z.string().transform(Number),
      coerce: z.coerce.number(),
      bigint: z.bigint(),
      trim: z.string().trim(),
    };
    for (const [name, schema] of Object.entries(lossy))
      assert.notDeepEqual(
        lossesOf(z.strictObject({ a: z.array(schema).optional() }), name),
        [],
        name,
      );
  });

  test("none takes fields that it does not have, and each example is one", () => {
    for (const verb of allVerbs)
      for (const side of ["request", "response"] as const) {
        const schema = verbSchemas[verb][side];
        const json = jsonSchemaOf(schema);
        assert.equal((json as { additionalProperties?: boolean }).additionalProperties, false);
        assert.equal("$schema" in json, false);
        const checked = schema.safeParse(exampleOf(json));
        assert.ok(checked.success, `${verb} ${side}: ${String(checked.error)}`);
      }
  });

  test("codes that fields name are in the error table", () => {
    const codesOf = (schema: JsonSchema): string[] => [
      ...(schema["x-code"] === undefined ? [] : [schema["x-code"]]),
      ...Object.values(schema.properties ?? {}).flatMap(codesOf),
      ...(schema.anyOf ?? []).flatMap(codesOf),
      ...(schema.items === undefined ? [] : codesOf(schema.items)),
    ];
    const codes = allVerbs.flatMap((verb) => codesOf(jsonSchemaOf(verbSchemas[verb].request)));
    assert.ok(codes.length > 20);
    for (const code of codes)
      assert.ok(
        errorCodes.some((each) => each === code),
        code,
      );
  });
});

suite("HTTP: values between JSON and the vocabulary", () => {
  test("bytes go as base64 and come back the same", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const wire = toWire({ payload: bytes }) as { payload: string };
        const { request } = fromWire("queue.push", { queue: "q", ...wire });
        assert.deepEqual(new Uint8Array(request.payload), bytes);
      }),
    );
  });

  test("text that is not base64 is refused, never shortened", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), (text) => {
        const isBase64 = Buffer.from(text, "base64").toString("base64") === text;
        if (isBase64) fromWire("queue.push", { payload: text });
        else assert.throws(() => fromWire("queue.push", { payload: text }), { code: "BADVALUE" });
      }),
    );
  });

  test("64-bit numbers are exact both ways", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const { request } = fromWire("queue.push", { priority: value.toString() });
        assert.equal(BigInt(request.priority ?? 0), value);
        const small = Number.isSafeInteger(Number(value));
        assert.equal(typeof request.priority, small ? "number" : "bigint");
        const { priority } = toWire({ priority: request.priority }) as { priority: unknown };
        assert.deepEqual(priority, small ? Number(value) : value.toString());
      }),
    );
  });

  test("answers are taken over at any depth", () => {
    const answer = {
      tasks: [{ payload: Buffer.from("a"), priority: 2n ** 60n, at: 1, none: null }],
      ok: true,
    };
    assert.deepEqual(toWire(answer), {
      tasks: [{ payload: "YQ==", priority: String(2n ** 60n), at: 1, none: null }],
      ok: true,
    });
  });
});
