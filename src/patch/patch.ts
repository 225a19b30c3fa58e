/** JSON Patch (RFC 6902) as a value: checked once, when it comes in. */
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { shown } from "../base/shown-value.ts";
import { copiedJson } from "./json-value.ts";
import type { Json } from "./json.ts";
import { parsePointer, pointerText } from "./pointer.ts";

export const operationNames = ["add", "remove", "replace", "move", "copy", "test"] as const;

export type OperationName = (typeof operationNames)[number];

export interface Operation {
  readonly op: OperationName;
  /** Reference tokens, unescaped. */
  readonly path: readonly string[];
  /** Of move and copy. */
  readonly from?: readonly string[];
  /** Of add, replace and test. */
  readonly value?: Json;
}

export type Patch = readonly Operation[];

/** Throws TrubaError BADPATCH, naming operation and member. or TOOLARGE for too many and too deep ones. Members that RFC 6902 does not define are passed over (§4). The patch shares nothing with the value. */
export function decodePatch(value: unknown): Patch {
  if (!Array.isArray(value)) throw bad(`it is ${shown(value)}, and must be an array of operations`);
  const max = limits.documentPatchMaxOperations;
  if (value.length > max)
    throw new TrubaError(
      "TOOLARGE",
      `the patch has ${value.length} operations; the limit is ${max} (documentPatchMaxOperations)`,
    );
  return value.map((operation: unknown, at) => decodeOperation(operation, at));
}

/** The operation as RFC 6902 writes it. */
export function operationJson({ op, path, from, value }: Operation): Json {
  if (from !== undefined) return { op, from: pointerText(from), path: pointerText(path) };
  if (value === undefined) return { op, path: pointerText(path) };
  return { op, path: pointerText(path), value };
}

function decodeOperation(operation: unknown, at: number): Operation {
  if (typeof operation !== "object" || operation === null || Array.isArray(operation))
    throw bad(`operation ${at} is ${shown(operation)}, and must be an object`);
  const members = operation as Readonly<Record<string, unknown>>;
  const op = own(members, "op");
  if (op === undefined) throw bad(`operation ${at} has no "op"`);
  if (!isName(op))
    throw bad(`"op" of operation ${at} is ${shown(op)}, and must be ${operationNames.join(", ")}`);
  const path = pointerOf(members, "path", at);
  switch (op) {
    case "remove":
      return { op, path };
    case "move":
    case "copy":
      return { op, path, from: pointerOf(members, "from", at) };
    case "add":
    case "replace":
    case "test": {
      const value = own(members, "value");
      if (value === undefined) throw bad(`operation ${at}, ${op}, has no "value"`);
      return { op, path, value: copiedJson(value, `"value" of operation ${at}`) };
    }
    default:
      return op satisfies never;
  }
}

function pointerOf(
  members: Readonly<Record<string, unknown>>,
  name: "path" | "from",
  at: number,
): readonly string[] {
  const text = own(members, name);
  if (text === undefined) throw bad(`operation ${at} has no "${name}"`);
  if (typeof text !== "string")
    throw bad(`"${name}" of operation ${at} is ${shown(text)}, and must be a JSON Pointer`);
  let tokens: readonly string[];
  try {
    tokens = parsePointer(text);
  } catch (error) {
    throw bad(`"${name}" of operation ${at}: ${(error as Error).message}`);
  }
  const max = limits.documentDepthMaxCount;
  if (tokens.length > max)
    throw bad(
      `"${name}" of operation ${at} goes ${tokens.length} levels down; the limit is ${max} (documentDepthMaxCount)`,
    );
  return tokens;
}

/** Inherited members are none of the operation's. */
function own(members: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(members, name) ? members[name] : undefined;
}

function isName(value: unknown): value is OperationName {
  return (operationNames as readonly unknown[]).includes(value);
}

function bad(text: string): TrubaError {
  return new TrubaError("BADPATCH", `not a JSON Patch: ${text}`);
}
