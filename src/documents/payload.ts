/**
 * Payloads of transactions: from text to patch and metadata, and back. Decoding is a pure function of the text, so that what is malformed is malformed on every node.
 */
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { parseJson } from "../patch/json-text.ts";
import type { Json, JsonObject } from "../patch/json.ts";
import { decodePatch } from "../patch/patch.ts";
import type { Patch } from "../patch/patch.ts";
import { decodeMetadata, isRecord, metadataJson, metadataName } from "./order-metadata.ts";
import type { OrderMetadata } from "./order-metadata.ts";

export interface DecodedPayload {
  /** Empty of a record, and of what is malformed. */
  readonly patch: Patch;
  /** Absent: of a plain peer, or not readable. */
  readonly metadata: OrderMetadata | undefined;
  /** Why it is not a patch; it is rejected at its place. */
  readonly malformed: string | undefined;
}

const emptyPatch: Patch = [];

/** Never throws for what the text may be. */
export function decodePayload(payload: string): DecodedPayload {
  let metadata: OrderMetadata | undefined;
  try {
    if (
      payload.length * 3 > limits.documentPatchMaxBytes &&
      Buffer.byteLength(payload) > limits.documentPatchMaxBytes
    )
      return malformed(undefined, `it is over ${limits.documentPatchMaxBytes} bytes`);
    const json = parseJson(payload, "payload");
    const member = memberOf(json, 0);
    if (member !== undefined) {
      metadata = decodeMetadata(member);
      if (metadata === undefined) return malformed(undefined, `its member "~" cannot be read`);
      // What a record has for plain peers is not looked at.
      if (isRecord(metadata)) return { patch: emptyPatch, metadata, malformed: undefined };
    }
    const patch = decodePatch(json);
    // JSON.parse makes 1e400 infinite, which no JSON text can say.
    if (!patch.every(({ value }) => value === undefined || isFinite(value)))
      return malformed(metadata, "a number is beyond what a double holds");
    return { patch, metadata, malformed: undefined };
  } catch (error) {
    if (!(error instanceof TrubaError)) throw error;
    return malformed(metadata, error.message);
  }
}

/** The payload of a transaction: the operations as given, with the metadata in the first. */
export function payloadText(operations: readonly Json[], metadata: OrderMetadata): string {
  const [first, ...rest] = operations as readonly JsonObject[];
  return JSON.stringify([{ ...first, [metadataName]: metadataJson(metadata) }, ...rest]);
}

/** The payload of a record: to plain peers a patch that changes nothing. */
export function recordText(metadata: OrderMetadata): string {
  return payloadText(
    [
      { op: "add", path: "/_truba", value: 0 },
      { op: "remove", path: "/_truba" },
    ],
    metadata,
  );
}

/** The operations of a payload as its author gave them, without metadata; none if it is malformed or a record. */
export function visibleOperations(payload: string): readonly Json[] {
  const { malformed: reason, metadata } = decodePayload(payload);
  if (reason !== undefined || (metadata !== undefined && isRecord(metadata))) return [];
  const operations = parseJson(payload, "payload");
  if (!Array.isArray(operations)) return [];
  return (operations as readonly JsonObject[]).map((operation) =>
    Object.hasOwn(operation, metadataName)
      ? Object.fromEntries(Object.entries(operation).filter(([name]) => name !== metadataName))
      : operation,
  );
}

/** Throws BADPATCH if an operation has Truba's own member. */
export function refuseMetadata(operations: readonly Json[]): void {
  for (let at = 0; at < operations.length; at++) {
    if (memberOf(operations, at) === undefined) continue;
    throw new TrubaError(
      "BADPATCH",
      `operation ${at} has a member "${metadataName}", which is for nodes to tell each other the order`,
    );
  }
}

function malformed(metadata: OrderMetadata | undefined, reason: string): DecodedPayload {
  return { patch: emptyPatch, metadata, malformed: reason };
}

function isFinite(value: Json): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || value === null) return true;
  return Object.values(value as Readonly<Record<string, Json>>).every(isFinite);
}

function memberOf(json: Json, at: number): Json | undefined {
  if (!Array.isArray(json)) return undefined;
  const operation = (json as readonly Json[])[at];
  if (typeof operation !== "object" || operation === null || Array.isArray(operation))
    return undefined;
  return Object.hasOwn(operation, metadataName)
    ? (operation as JsonObject)[metadataName]
    : undefined;
}
