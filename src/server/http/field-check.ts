/** What is wrong with a field, in words that name it, its value and the limit; and query strings, whose values are text. */
import { type ErrorCode, TrubaError } from "../../base/errors.ts";
import type { JsonSchema } from "./json-schema.ts";

/** What a compiled JSON Schema says of a value, as Ajv does. */
export interface FieldError {
  readonly keyword: string;
  /** JSON Pointer of the value. */
  readonly instancePath: string;
  readonly message?: string | undefined;
  readonly params: Readonly<Record<string, unknown>>;
  readonly parentSchema?: unknown;
  readonly data?: unknown;
}

/** The refusal of a value that is not as its schema says. `where` stands before names of fields. */
export function fieldRefusal(errors: readonly FieldError[], where: string): TrubaError {
  const error = tellingError(errors);
  if (error === undefined) return new TrubaError("BADVALUE", `${where}the value is not right`);
  const name = nameOf(where, error.instancePath);
  if (error.keyword === "required")
    return new TrubaError(
      "BADVALUE",
      `${dotted(name, String(error.params["missingProperty"]))} is missing`,
    );
  if (error.keyword === "additionalProperties")
    return new TrubaError(
      "BADVALUE",
      `${dotted(name, String(error.params["additionalProperty"]))} is not a field of this request`,
    );
  const schema = (error.parentSchema ?? {}) as JsonSchema;
  const subject = name === "" ? "the body" : name;
  return new TrubaError(
    (schema["x-code"] ?? "BADVALUE") as ErrorCode,
    `${subject} is ${shown(error.data)}; it ${expected(error, schema)}`,
  );
}

/** Of alternatives none of which fits the last error is the one of all of them; where `null` is the only other one, that of the real one says more. */
function tellingError(errors: readonly FieldError[]): FieldError | undefined {
  const last = errors.at(-1);
  const { anyOf } = (last?.parentSchema ?? {}) as JsonSchema;
  if (last?.keyword !== "anyOf" || anyOf?.length !== 2 || anyOf[1]?.type !== "null") return last;
  return errors[0];
}

function expected({ keyword, message }: FieldError, schema: JsonSchema): string {
  if (schema.enum !== undefined) return `must be one of ${schema.enum.join(", ")}`;
  const { minimum, maximum } = schema;
  if (schema.type === "integer" && minimum !== undefined && maximum !== undefined)
    return `must be a whole number from ${minimum} to ${maximum}`;
  if (keyword === "anyOf" && schema.anyOf !== undefined) {
    const kinds = schema.anyOf.map(({ type, pattern }) =>
      pattern === undefined ? type : `${type} of digits`,
    );
    return `must be ${kinds.join(" or ")}`;
  }
  return message ?? "is not right";
}

function nameOf(where: string, pointer: string): string {
  const path = pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  return `${where}${path.join(".")}`;
}

function dotted(name: string, field: string): string {
  return name === "" || name.endsWith(" ") ? `${name}${field}` : `${name}.${field}`;
}

/** A value, short. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  const text = JSON.stringify(value) ?? "missing";
  return text.length <= 80 ? text : `${text.slice(0, 77)}…`;
}

/** Numbers, truth and lists out of a query string, where the schema has them; what is none stays text, and is refused by the schema. */
export function queryValues(
  query: Readonly<Record<string, unknown>>,
  schema: JsonSchema,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(query).map(([name, given]) => [
      name,
      queryValue(given, schema.properties?.[name]),
    ]),
  );
}

function queryValue(given: unknown, schema: JsonSchema | undefined): unknown {
  if (typeof given !== "string" || schema === undefined) return given;
  if (schema.type === "integer" && /^(0|-?[1-9]\d{0,15})$/.test(given)) return Number(given);
  if (schema.type === "boolean" && (given === "true" || given === "false")) return given === "true";
  if (schema.type === "array") return given.split(",");
  return given;
}
