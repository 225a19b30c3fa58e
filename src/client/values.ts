/**
 * Values of users as bytes. With a schema a value is JSON: what is stored is checked as it will be read, so nobody can push what nobody can read; what is read is
 * what the schema makes of it, so transformations run once, at the reader. Without a schema bytes are bytes.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { TrubaError } from "../base/errors.ts";

/** How values of one kind become bytes and come back. Either direction throws, or rejects with, TrubaError BADVALUE. */
export interface ValueCodec<In, Out> {
  encode(value: In): Uint8Array | Promise<Uint8Array>;
  decode(bytes: Uint8Array): Out | Promise<Out>;
}

const toBytes = new TextEncoder();
const toText = new TextDecoder("utf-8", { fatal: true });

/** Bytes as they are; text as UTF-8. */
export const rawValues: ValueCodec<Uint8Array | string, Uint8Array> = {
  encode(value) {
    if (typeof value === "string") return toBytes.encode(value);
    if (value instanceof Uint8Array) return value;
    throw new TrubaError(
      "BADVALUE",
      `without a schema a value is a Uint8Array or a string, not ${kindOf(value)}`,
    );
  },
  decode: (bytes) => bytes,
};

/** JSON of what fits a schema (https://standardschema.dev); `name` stands in the texts of errors. */
export class SchemaValues<S extends StandardSchemaV1> implements ValueCodec<
  StandardSchemaV1.InferInput<S>,
  StandardSchemaV1.InferOutput<S>
> {
  readonly #schema: S;
  readonly #name: string;

  constructor(schema: S, name: string) {
    this.#schema = schema;
    this.#name = name;
  }

  encode(value: StandardSchemaV1.InferInput<S>): Uint8Array | Promise<Uint8Array> {
    const text = this.#toJson(value);
    const checked = this.check(JSON.parse(text));
    if (checked instanceof Promise) return checked.then(() => toBytes.encode(text));
    return toBytes.encode(text);
  }

  decode(
    bytes: Uint8Array,
  ): StandardSchemaV1.InferOutput<S> | Promise<StandardSchemaV1.InferOutput<S>> {
    return this.check(this.#fromJson(bytes));
  }

  /** What the schema makes of a value. */
  check(
    value: unknown,
  ): StandardSchemaV1.InferOutput<S> | Promise<StandardSchemaV1.InferOutput<S>> {
    const result = this.#schema["~standard"].validate(value);
    if (result instanceof Promise) return result.then((settled) => this.#valueOf(settled));
    return this.#valueOf(result);
  }

  #valueOf(result: StandardSchemaV1.Result<unknown>): StandardSchemaV1.InferOutput<S> {
    if (result.issues === undefined) return result.value;
    const problems = result.issues.map((issue) => `${pathText(issue.path)}: ${issue.message}`);
    throw new TrubaError(
      "BADVALUE",
      `the value does not fit the schema of ${this.#name}: ${problems.join("; ")}`,
      { cause: result.issues },
    );
  }

  #toJson(value: unknown): string {
    let text: string | undefined;
    try {
      text = JSON.stringify(value) as string | undefined;
    } catch (error) {
      throw this.#notJson("cannot be written as JSON", error);
    }
    if (text === undefined) throw this.#notJson(`is ${kindOf(value)}, which JSON does not have`);
    return text;
  }

  #fromJson(bytes: Uint8Array): unknown {
    try {
      return JSON.parse(toText.decode(bytes));
    } catch (error) {
      throw this.#notJson(`is ${bytes.length} bytes that are not JSON`, error);
    }
  }

  #notJson(what: string, cause?: unknown): TrubaError {
    return new TrubaError("BADVALUE", `the value of ${this.#name} ${what}`, { cause });
  }
}

/** `items[2].name`; `value` for the whole. */
function pathText(path: StandardSchemaV1.Issue["path"]): string {
  let text = "";
  for (const segment of path ?? []) {
    const key = typeof segment === "object" ? segment.key : segment;
    if (typeof key === "number") text += `[${key}]`;
    else text += text === "" ? String(key) : `.${String(key)}`;
  }
  return text === "" ? "value" : text;
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return typeof value === "object"
    ? `an object (${value.constructor?.name ?? "none"})`
    : typeof value;
}
