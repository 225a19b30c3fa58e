/**
 * Turns the words of a call into the request of a verb, by the table of verbs (protocol/verbs.ts): first the fields that have their place, then those behind a word, in any
 * order. What the words mean for a queue or a session is checked by its machine; here it is seen that they are numbers, durations, names, and that none is missing or
 * given twice.
 */
import { assert } from "../base/assert.ts";
import { type ErrorCode, TrubaError } from "../base/errors.ts";
import type { VerbField } from "../protocol/verb-facts.ts";
import { type Call, isWord, quoted } from "./call.ts";
import {
  RepeatedText,
  beginsWithDigit,
  choiceOf,
  countOf,
  int64Of,
  millisecondsOf,
  utf8Of,
} from "./verb-fields.ts";

type FieldValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | Uint8Array
  | readonly string[]
  | readonly { readonly task: number; readonly lease: number }[];

/** A request under construction: `RequestOf` of the parser's verb, once it is parsed. */
export type ParsedRequest = Record<string, FieldValue>;

interface Plan {
  readonly field: VerbField;
  /** How errors call it. */
  readonly label: string;
  readonly least: number;
  readonly choices: readonly string[];
  readonly capitals: readonly string[];
  /** Of what it is refused with. */
  readonly code: ErrorCode;
  readonly repeated: RepeatedText;
}

/** Fields that the error table has a code for. */
const codes: Readonly<Record<string, ErrorCode>> = {
  implementation: "BADIMPLEMENTATION",
  maxSize: "BADMAXSIZE",
  maxPayloadBytes: "BADMAXPAYLOAD",
};

/** One for each verb, made once. */
export class VerbParser {
  readonly #name: string;
  readonly #places: readonly Plan[];
  readonly #options: readonly Plan[];

  /** `name`: that of the command, for errors. */
  constructor(name: string, fields: readonly VerbField[]) {
    this.#name = name;
    this.#places = fields.filter(({ word }) => word === undefined).map(planOf);
    this.#options = fields.filter(({ word }) => word !== undefined).map(planOf);
  }

  /** Parses arguments 1 and on. Payloads are views of the call's buffer. Throws TrubaError ERR or BADVALUE. */
  parse(call: Call): ParsedRequest {
    const request: ParsedRequest = {};
    const places = this.#places;
    let at = 1;
    for (let i = 0; i < places.length; i++) {
      const plan = places[i] as Plan;
      if (at >= call.count) throw new TrubaError("ERR", `${this.#name} needs its ${plan.label}`);
      if (plan.field.type === "leases") at = this.#leases(call, at, request);
      else request[plan.field.name] = valueOf(plan, call, at++);
    }
    while (at < call.count) at = this.#option(call, at, request);
    return request;
  }

  /** Reads a word and what belongs to it; returns where the next one stands. */
  #option(call: Call, at: number, request: ParsedRequest): number {
    const plan = this.#optionAt(call, at);
    if (plan === undefined) throw this.#unknown(call, at);
    const { name, type } = plan.field;
    if (request[name] !== undefined)
      throw new TrubaError("ERR", `${this.#name} has ${plan.label} twice`);
    if (type === "flag") {
      request[name] = true;
      return at + 1;
    }
    if (at + 1 >= call.count)
      throw new TrubaError("ERR", `${plan.label} of ${this.#name} needs a value behind it`);
    request[name] = valueOf(plan, call, at + 1);
    return at + 2;
  }

  #optionAt(call: Call, at: number): Plan | undefined {
    const options = this.#options;
    for (let i = 0; i < options.length; i++) {
      const plan = options[i] as Plan;
      if (isWord(call, at, plan.label)) return plan;
    }
    return undefined;
  }

  #unknown(call: Call, at: number): TrubaError {
    const words = this.#options.map(({ label }) => label).join(", ");
    const known = words === "" ? "it has none" : `it has ${words}`;
    return new TrubaError("ERR", `${this.#name} has no option ${quoted(call, at)}; ${known}`);
  }

  /** One pair of task and lease, and more as long as numbers follow. */
  #leases(call: Call, first: number, request: ParsedRequest): number {
    const leases: { task: number; lease: number }[] = [];
    let at = first;
    do {
      const task = countOf(call, at, { least: 1, label: "task" });
      if (at + 1 >= call.count)
        throw new TrubaError("ERR", `task ${task} of ${this.#name} needs its lease behind it`);
      leases.push({ task, lease: countOf(call, at + 1, { least: 1, label: "lease" }) });
      at += 2;
    } while (at < call.count && beginsWithDigit(call, at));
    request["leases"] = leases;
    return at;
  }
}

/** A field that is a number, if it is there. */
export function numberIn(parsed: ParsedRequest, name: string): number | undefined {
  const value = parsed[name];
  return typeof value === "number" ? value : undefined;
}

/** A field that is text, which its verb has in any case. */
export function textIn(parsed: ParsedRequest, name: string): string {
  const value = parsed[name];
  assert(typeof value === "string", "a field of text has its place");
  return value;
}

function planOf(field: VerbField): Plan {
  const { name, word, choices = [] } = field;
  return {
    field,
    label: word ?? name,
    least: 0,
    choices,
    code: codes[name] ?? "BADVALUE",
    capitals: choices.map((choice) => choice.toUpperCase()),
    repeated: new RepeatedText(),
  };
}

function valueOf(plan: Plan, call: Call, index: number): FieldValue {
  const { field, label } = plan;
  if (field.nullable === true && isWord(call, index, "NONE")) return null;
  switch (field.type) {
    case "bytes":
      return call.buffer.subarray(call.start(index), call.end(index));
    case "queue":
    case "session":
    case "kind":
    case "document":
      return plan.repeated.of(call, index);
    case "kinds":
      return plan.repeated.of(call, index).split(",");
    case "text":
    case "json":
      return utf8Of(call, index, label);
    case "int64":
      return int64Of(call, index, label);
    case "count":
      return countOf(call, index, plan);
    case "seconds":
      return millisecondsOf(call, index, label);
    case "choice":
      return choiceOf(call, index, plan);
    case "flag":
    case "leases":
      throw new Error(`${field.type} is no single value`);
    default:
      return field.type satisfies never;
  }
}
