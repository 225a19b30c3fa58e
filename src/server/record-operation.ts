/**
 * Writes to records, parsed from a call: SET key value [NX | XX | IFVERSION n] [EX seconds | PX milliseconds], DELETE key [IFVERSION n], CHECK key IFVERSION n, and GET
 * inside a group. One object is used again for each request.
 */
import { must } from "../base/assert.ts";
import { limits } from "../base/limits.ts";
import { type OperationWriter, operationCodes } from "../machines/operation.ts";
import {
  type SetOptions,
  encodeRecordCheck,
  encodeRecordDelete,
  encodeRecordGet,
  encodeRecordSet,
  plainSet,
} from "../machines/records/records.ts";
import { type Call, integerOf, isWord, quoted } from "./call.ts";
import { type Failure, failure, syntaxError } from "./failure.ts";
import type { Operation } from "../machines/operation.ts";
import { RecordKeyParser } from "../machines/records/record-key.ts";

type Condition = SetOptions["condition"];

const emptyBuffer = Buffer.alloc(0);

export class RecordOperation implements Operation {
  code: number = operationCodes.recordSet;
  readonly key = new RecordKeyParser();
  #options: SetOptions = plainSet;
  #version: number | undefined;
  readonly #value: { source: Buffer; start: number; end: number } = {
    source: emptyBuffer,
    start: 0,
    end: 0,
  };

  get slot(): number {
    return this.key.slot;
  }

  /** Takes key and value of a SET whose options are at argument 3 and on. */
  parseSet(call: Call): Failure | undefined {
    this.code = operationCodes.recordSet;
    const bad = this.key.parse(call.buffer, call.start(1), call.end(1));
    if (bad !== undefined) return bad;
    return this.#takeValue(call.buffer, call.start(2), call.end(2)) ?? this.#parseSetOptions(call);
  }

  /** A SET without options: the line protocol's. */
  takeSet(line: {
    buffer: Buffer;
    keyStart: number;
    keyEnd: number;
    start: number;
    end: number;
  }): Failure | undefined {
    this.code = operationCodes.recordSet;
    this.#options = plainSet;
    const bad = this.key.parse(line.buffer, line.keyStart, line.keyEnd);
    return bad ?? this.#takeValue(line.buffer, line.start, line.end);
  }

  /** Takes the key at argument `index` of a DEL, DELETE or GET. */
  parseKey(call: Call, index: number, code: number): Failure | undefined {
    this.code = code;
    this.#version = undefined;
    return this.key.parse(call.buffer, call.start(index), call.end(index));
  }

  /** A DELETE without options: the line protocol's. */
  takeDelete(line: Buffer, keyStart: number, keyEnd: number): Failure | undefined {
    this.code = operationCodes.recordDelete;
    this.#version = undefined;
    return this.key.parse(line, keyStart, keyEnd);
  }

  /** As {@link parseKey}, with `IFVERSION n` behind the key. */
  parseDelete(call: Call): Failure | undefined {
    const bad = this.parseKey(call, 1, operationCodes.recordDelete);
    if (bad !== undefined || call.count === 2) return bad;
    return this.#parseVersion(call);
  }

  /** Takes the key at argument 1 and `IFVERSION n` behind it, of a CHECK. */
  parseCheck(call: Call): Failure | undefined {
    return this.parseKey(call, 1, operationCodes.recordCheck) ?? this.#parseVersion(call);
  }

  encode(writer: OperationWriter): void {
    if (this.code === operationCodes.recordSet)
      encodeRecordSet(writer, this.key, this.#options, this.#value);
    else if (this.code === operationCodes.recordDelete)
      encodeRecordDelete(writer, this.key, this.#version);
    else if (this.code === operationCodes.recordCheck)
      encodeRecordCheck(writer, this.key, must(this.#version));
    else encodeRecordGet(writer, this.key);
  }

  #parseVersion(call: Call): Failure | undefined {
    if (call.count !== 4 || !isWord(call, 2, "IFVERSION")) return syntaxError;
    const version = integerOf(call, 3);
    if (version === undefined || version < 0)
      return badNumber("IFVERSION", call, 3, "0 to 9007199254740991");
    this.#version = version;
    return undefined;
  }

  #takeValue(source: Buffer, start: number, end: number): Failure | undefined {
    if (end - start > limits.valueMaxBytes) {
      return failure(
        "TOOLARGE",
        `the value is ${end - start} bytes; the limit is ${limits.valueMaxBytes}`,
      );
    }
    this.#value.source = source;
    this.#value.start = start;
    this.#value.end = end;
    return undefined;
  }

  #parseSetOptions(call: Call): Failure | undefined {
    if (call.count === 3) {
      this.#options = plainSet;
      return undefined;
    }
    let condition: Condition = "none";
    let version = 0;
    let expiryMs = 0;
    for (let i = 3; i < call.count; i++) {
      const next = conditionAt(call, i);
      if (next !== "none") {
        if (condition !== "none") return syntaxError;
        condition = next;
        if (next !== "version") continue;
        const number = ++i < call.count ? integerOf(call, i) : undefined;
        if (number === undefined || number < 0)
          return i < call.count
            ? badNumber("IFVERSION", call, i, "0 to 9007199254740991")
            : syntaxError;
        version = number;
        continue;
      }
      const unitMs = isWord(call, i, "EX") ? 1_000 : isWord(call, i, "PX") ? 1 : 0;
      if (unitMs === 0 || expiryMs !== 0) return syntaxError;
      if (++i === call.count) return syntaxError;
      const number = integerOf(call, i);
      const max = (limits.expiryMaxSeconds * 1_000) / unitMs;
      if (number === undefined || number < 1 || number > max)
        return badNumber(unitMs === 1 ? "PX" : "EX", call, i, `1 to ${max}`);
      expiryMs = number * unitMs;
    }
    this.#options = { condition, version, expiryMs };
    return undefined;
  }
}

function conditionAt(call: Call, index: number): Condition {
  if (isWord(call, index, "NX")) return "nx";
  if (isWord(call, index, "XX")) return "xx";
  return isWord(call, index, "IFVERSION") ? "version" : "none";
}

function badNumber(name: string, call: Call, index: number, range: string): Failure {
  return failure(
    "BADVALUE",
    `${name} is ${quoted(call, index)}; it must be a whole number from ${range}`,
  );
}
