/** What the values of a document are to its users: any JSON, or what a schema makes of it. And what its parts share. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { TrubaError } from "../base/errors.ts";
import type { Json } from "../base/json.ts";
import type { Caller } from "./caller.ts";
import type { Running } from "./consumer.ts";
import { SchemaValues } from "./values.ts";

/** What a document's values are, given its schema. */
export interface DocumentValues<In, Out> {
  /** As JSON. Throws, or rejects with, TrubaError BADVALUE. */
  textOf(value: In): string | Promise<string>;
  /** What users get. Throws, or rejects with, TrubaError BADVALUE. */
  check(value: Json): Out | Promise<Out>;
}

/** Any JSON. */
export const anyJson: DocumentValues<unknown, Json> = {
  textOf(value) {
    const text = JSON.stringify(value) as string | undefined;
    if (text !== undefined) return text;
    throw new TrubaError("BADVALUE", `a document is JSON, which does not have ${typeof value}`);
  },
  check: (value) => value,
};

/** JSON that fits a schema. */
export function schemaValues<S extends StandardSchemaV1>(
  schema: S,
  name: string,
): DocumentValues<StandardSchemaV1.InferInput<S>, StandardSchemaV1.InferOutput<S>> {
  const values = new SchemaValues(schema, `document "${name}"`);
  const toText = new TextDecoder();
  return {
    async textOf(value) {
      return toText.decode(await values.encode(value));
    },
    check: (value) => values.check(value),
  };
}

export interface DocumentParts<In, Out> {
  readonly name: string;
  readonly values: DocumentValues<In, Out>;
  readonly caller: Caller;
  readonly running: Set<Running>;
}
