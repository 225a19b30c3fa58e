/** Requests for records as operations, and their outcomes as responses. */
import { type ErrorCode, TrubaError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { RequestOf, ResponseOf } from "../../protocol/requests.ts";
import { checkedCount } from "../checked-count.ts";
import { type Operation, type OperationWriter, operationCodes } from "../operation.ts";
import type { Outcome } from "../outcome.ts";
import {
  type RecordKey,
  type SetOptions,
  encodeRecordCheck,
  encodeRecordDelete,
  encodeRecordGet,
  encodeRecordSet,
} from "./records.ts";
import { RecordKeyParser } from "./record-key.ts";

export type RecordVerb = "record.set" | "record.delete" | "record.get" | "record.check";

/** Full copies that hold a write once it is confirmed: one node holds one. */
const copies = 1;

/** Throws TrubaError BADKEY, BADVALUE or TOOLARGE. */
export function recordOperation<V extends RecordVerb>(verb: V, request: RequestOf<V>): Operation;
export function recordOperation(verb: RecordVerb, request: RequestOf<RecordVerb>): Operation {
  const key = recordKey(request.key);
  switch (verb) {
    case "record.set": {
      const set = request as RequestOf<"record.set">;
      const value = checkedValue(set.value);
      const options = setOptions(set);
      return operation(operationCodes.recordSet, key, (writer) =>
        encodeRecordSet(writer, key, options, { source: value, start: 0, end: value.length }),
      );
    }
    case "record.delete": {
      const { ifVersion } = request as RequestOf<"record.delete">;
      if (ifVersion !== undefined) checkVersion("ifVersion", ifVersion);
      return operation(operationCodes.recordDelete, key, (writer) =>
        encodeRecordDelete(writer, key, ifVersion),
      );
    }
    case "record.get":
      return operation(operationCodes.recordGet, key, (writer) => encodeRecordGet(writer, key));
    case "record.check": {
      const { ifVersion } = request as RequestOf<"record.check">;
      checkVersion("ifVersion", ifVersion);
      return operation(operationCodes.recordCheck, key, (writer) =>
        encodeRecordCheck(writer, key, ifVersion),
      );
    }
    default:
      return verb satisfies never;
  }
}

/** `outcome` is not an error. A condition that did not hold is a status, but for `record.check`, where it is an error. Throws TrubaError VERSIONCONFLICT or NOTFOUND. */
export function recordResponse(verb: RecordVerb, outcome: Outcome): object {
  if (outcome.kind === "value") {
    const response: ResponseOf<"record.get"> = {
      version: outcome.version,
      value: outcome.value ?? null,
    };
    return response;
  }
  if (outcome.kind !== "record") throw new Error(`${verb} has no outcome ${outcome.kind}`);
  const { status, version } = outcome;
  if (status === "checked") return { version };
  if (verb === "record.check")
    throw new TrubaError(refusalCode(status), refusalText(status, version));
  const written = status === "created" || status === "updated" || status === "deleted";
  const response: ResponseOf<"record.set"> = { status, version, copies: written ? copies : 0 };
  return response;
}

/** Parses a key. Throws TrubaError BADKEY. */
export function recordKey(key: string): RecordKeyParser {
  const parser = new RecordKeyParser();
  const bytes = Buffer.from(key, "utf8");
  const bad = parser.parse(bytes, 0, bytes.length);
  if (bad !== undefined) throw new TrubaError(bad.code, bad.text);
  return parser;
}

function operation(
  code: number,
  key: RecordKey & { readonly slot: number },
  encode: (writer: OperationWriter) => void,
): Operation {
  return { code, slot: key.slot, encode };
}

function refusalCode(status: string): ErrorCode {
  return status === "notfound" ? "NOTFOUND" : "VERSIONCONFLICT";
}

function refusalText(status: string, version: number): string {
  return status === "notfound" ? "the record does not exist" : `the record has version ${version}`;
}

function checkedValue(value: Uint8Array): Buffer {
  if (value.length > limits.valueMaxBytes)
    throw new TrubaError(
      "TOOLARGE",
      `the value is ${value.length} bytes; the limit is ${limits.valueMaxBytes}`,
    );
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

function setOptions(set: RequestOf<"record.set">): SetOptions {
  const conditions = [set.ifAbsent === true, set.ifPresent === true, set.ifVersion !== undefined];
  if (conditions.filter(Boolean).length > 1)
    throw new TrubaError(
      "BADVALUE",
      "at most one of ifAbsent, ifPresent and ifVersion may be given",
    );
  if (set.ifVersion !== undefined) checkVersion("ifVersion", set.ifVersion);
  const expiryMs = set.expiryMs ?? 0;
  const expiryMaxMs = limits.expiryMaxSeconds * 1_000;
  if (
    set.expiryMs !== undefined &&
    !(Number.isSafeInteger(expiryMs) && expiryMs >= 1 && expiryMs <= expiryMaxMs)
  )
    throw new TrubaError("BADVALUE", `expiryMs is ${expiryMs}; it must be 1 to ${expiryMaxMs}`);
  const condition =
    set.ifAbsent === true
      ? "nx"
      : set.ifPresent === true
        ? "xx"
        : set.ifVersion === undefined
          ? "none"
          : "version";
  return { condition, version: set.ifVersion ?? 0, expiryMs };
}

function checkVersion(name: string, value: number): void {
  checkedCount(name, value, 0, Number.MAX_SAFE_INTEGER);
}
