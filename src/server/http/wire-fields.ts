/**
 * Fields as JSON has them, for the schemas of requests and answers. A schema says what a field is and its range; `x-code` is the error code that a wrong value is
 * answered with, BADVALUE without one. What a schema cannot say, the machine checks: no refinements, transforms or coercions, which JSON Schema would lose.
 */
import { z } from "zod";
import type { ErrorCode } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";

export interface FieldNotes {
  readonly description: string;
  readonly code?: ErrorCode;
  readonly example?: unknown;
}

function notes({ description, code, example }: FieldNotes): Record<string, unknown> {
  return {
    description,
    ...(code === undefined ? {} : { "x-code": code }),
    ...(example === undefined ? {} : { examples: [example] }),
  };
}

/** Bytes are base64 text (RFC 4648 §4), with padding. */
export function bytes(description: string, example = "aGVsbG8=") {
  return z.string().meta({
    ...notes({ description: `${description}, in base64`, example }),
    contentEncoding: "base64",
  });
}

export function text(field: FieldNotes) {
  return z.string().meta(notes(field));
}

/** A whole number from 0 to 2^53 - 1. */
export function count(field: FieldNotes & { readonly min?: number; readonly max?: number }) {
  return z
    .int()
    .min(field.min ?? 0)
    .max(field.max ?? Number.MAX_SAFE_INTEGER)
    .meta(notes(field));
}

export function flag(description: string) {
  return z.boolean().meta({ description });
}

/** A signed whole number of 64 bits: a number up to 2^53 - 1 either way, beyond it the decimal text. */
export function int64(field: FieldNotes) {
  return z
    .union([z.int(), z.string().regex(/^-?(0|[1-9]\d{0,18})$/)])
    .meta(
      notes({ ...field, description: `${field.description}; beyond ±(2^53 - 1) as decimal text` }),
    );
}

export function choice<const Words extends readonly [string, ...string[]]>(
  words: Words,
  field: FieldNotes,
) {
  return z.enum(words).meta(notes(field));
}

/** An object that takes no other fields. */
export function object<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape);
}

export const queueName = text({
  description: `name of the queue: 1 to ${limits.queueNameMaxBytes} printable ASCII characters (33 to 126)`,
  code: "BADQUEUENAME",
  example: "emails",
});

export const recordKeyText = text({
  description: "UUID of version 4, perhaps with a {tag} before it",
  code: "BADKEY",
  example: "0d5d3807-5fbf-4228-a657-5a091c4e497f",
});

export const sessionId = text({
  description: "id of the session: {tag} and 16 hexadecimal digits",
  code: "BADSESSION",
  example: "{order-7}00000000000000a1",
});

export const kindName = text({ description: "kind of the session, by name", example: "checkout" });

export const epoch = count({ description: "epoch of the session's owner", example: 161 });

export const version = count({
  description: "version of the record; 0 = it does not exist",
  example: 12,
});

export const moment = (description: string) =>
  count({
    description: `${description}, in ms since 1970 by log time`,
    example: 1_767_225_600_000,
  });

export const duration = (description: string, max: number, min = 0) =>
  count({ description: `${description}, in ms`, max, min });

export const leases = z
  .array(
    object({
      task: count({ description: "number of the task", example: 41 }),
      lease: count({ description: "number of the delivery", example: 57 }),
    }),
  )
  .min(1)
  .max(limits.takeMaxCount)
  .meta({ description: "deliveries: task and lease of each" });
