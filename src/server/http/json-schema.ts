/** JSON Schema from zod, in the form that both the validator and OpenAPI 3.1 take, and an example of what a schema describes. */
import { z } from "zod";
import { must } from "../../base/assert.ts";

/** What of JSON Schema is made and read here. */
export interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly examples?: readonly unknown[];
  readonly contentEncoding?: string;
  readonly "x-code"?: string;
}

const made = new WeakMap<z.ZodType, JsonSchema>();

/** The same object for the same schema: the validator knows by it what it has compiled. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  const known = made.get(schema);
  if (known !== undefined) return known;
  const { $schema: _, ...json } = z.toJSONSchema(schema, { target: "draft-7", io: "input" });
  made.set(schema, json as JsonSchema);
  return json as JsonSchema;
}

/** An example of it: required fields, and optional ones that name an example. */
export function exampleOf(schema: JsonSchema): unknown {
  const { examples, anyOf, properties, items, minimum = 0 } = schema;
  if (examples !== undefined) return examples[0];
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return schema.enum[0];
  if (anyOf !== undefined) return exampleOf(must(anyOf[0]));
  if (properties !== undefined) {
    const entries = Object.entries(properties).filter(
      ([name, field]) => schema.required?.includes(name) === true || field.examples !== undefined,
    );
    return Object.fromEntries(entries.map(([name, field]) => [name, exampleOf(field)]));
  }
  if (items !== undefined) return [exampleOf(items)];
  if (schema.type === "integer" || schema.type === "number") return minimum;
  if (schema.type === "boolean") return true;
  return schema.type === "object" ? {} : "text";
}
