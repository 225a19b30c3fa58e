/** Every verb's request and answer as JSON. The types hold them to the vocabulary (protocol/requests.ts). */
import type { z } from "zod";
import type { RequestOf, ResponseOf, Verb } from "../../protocol/requests.ts";
import { queueSchemas } from "./queue-schemas.ts";
import { recordSchemas } from "./record-schemas.ts";
import { sessionSchemas } from "./session-schemas.ts";

/** A value of the vocabulary as JSON has it: bytes as base64 text, 64 bits as number or text. */
type Wire<Value> = Value extends Uint8Array
  ? string
  : Value extends bigint
    ? string
    : Value extends readonly (infer Item)[]
      ? readonly Wire<Item>[]
      : Value extends object
        ? { readonly [Name in keyof Value]: Wire<Value[Name]> }
        : Value;

/** Optional fields may be `undefined`, as zod has them. */
type Loose<Value> = {
  readonly [Name in keyof Value]: object extends Pick<Value, Name>
    ? Value[Name] | undefined
    : Value[Name];
};

/** Has every field of the type, optional ones too, and no other. */
interface HasFields<Value> {
  readonly shape: { readonly [Name in keyof Value]-?: z.ZodType };
}

interface VerbSchemas<V extends Verb> {
  readonly request: z.ZodType<Loose<Wire<RequestOf<V>>>> & HasFields<RequestOf<V>>;
  readonly response: z.ZodType<Loose<Wire<ResponseOf<V>>>> & HasFields<ResponseOf<V>>;
}

export const verbSchemas = {
  ...recordSchemas,
  ...queueSchemas,
  ...sessionSchemas,
} as const satisfies { readonly [V in Verb]: VerbSchemas<V> };

/** All verbs, in the order of the vocabulary. */
export const allVerbs = Object.keys(verbSchemas) as readonly Verb[];
