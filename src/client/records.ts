/** Records as their users see them. */
import { TrubaError } from "../base/errors.ts";
import type { RecordStatusResponse, RequestOf } from "../protocol/requests.ts";
import type { Caller, CallLimits } from "./caller.ts";
import type { RecordDefinition } from "./definitions.ts";
import { type Duration, optionalMs } from "./duration.ts";

/** Conditions and expiry of a `set`; at most one condition. */
export interface SetOptions {
  /** Only if there is no record (else EXISTS). */
  readonly ifAbsent?: boolean;
  /** Only if there is one (else NOTFOUND). */
  readonly ifPresent?: boolean;
  /** Only if the record has this version (else VERSIONCONFLICT); 0 = there must be none. */
  readonly ifVersion?: number;
  /** The record is gone after so long. */
  readonly expiry?: Duration;
}

/** What `set` answers. */
export interface SetResult {
  readonly created: boolean;
  /** Grows with every change. */
  readonly version: number;
}

/** A record that was read. */
export interface RecordValue<Out> {
  readonly value: Out;
  /** For `ifVersion`. */
  readonly version: number;
}

/** Records: values under keys. A key is a UUID of version 4 in text, with a `{tag}` before it perhaps; keys with one tag are on one partition. */
export class Records<In, Out> {
  readonly #definition: RecordDefinition<In, Out>;
  readonly #caller: Caller;

  constructor(definition: RecordDefinition<In, Out>, caller: Caller) {
    this.#definition = definition;
    this.#caller = caller;
  }

  /**
   * Sets a record. Rejects with TrubaError EXISTS, NOTFOUND or VERSIONCONFLICT when the condition does not hold: then nothing was changed.
   *
   * ```ts
   * const seen = await orders.get(key);
   * await orders.set(key, { total: 12 }, { ifVersion: seen?.version ?? 0 });
   * ```
   */
  async set(key: string, value: In, options: SetOptions & CallLimits = {}): Promise<SetResult> {
    const request = setRequest(key, await this.#definition.values.encode(value), options);
    const response = await this.#caller.call("record.set", request, options);
    throwUnlessDone(key, response);
    return { created: response.status === "created", version: response.version };
  }

  /** The record; `undefined` if there is none. Rejects with BADVALUE if it does not fit the schema. */
  async get(key: string, limits?: CallLimits): Promise<RecordValue<Out> | undefined> {
    const { value, version } = await this.#caller.call("record.get", { key }, limits);
    if (value === null) return undefined;
    return { value: await this.#definition.values.decode(value), version };
  }

  /** Deletes a record; says whether there was one. Rejects with VERSIONCONFLICT or NOTFOUND when the condition does not hold. */
  async delete(
    key: string,
    options: { readonly ifVersion?: number } & CallLimits = {},
  ): Promise<boolean> {
    const { ifVersion } = options;
    const request = { key, ...(ifVersion === undefined ? {} : { ifVersion }) };
    const response = await this.#caller.call("record.delete", request, options);
    throwUnlessDone(key, response);
    return response.status === "deleted";
  }
}

/** A set as a request. */
export function setRequest(
  key: string,
  value: Uint8Array,
  { ifAbsent, ifPresent, ifVersion, expiry }: SetOptions,
): RequestOf<"record.set"> {
  const expiryMs = optionalMs(expiry, "expiry");
  return {
    key,
    value,
    ...(ifAbsent === undefined ? {} : { ifAbsent }),
    ...(ifPresent === undefined ? {} : { ifPresent }),
    ...(ifVersion === undefined ? {} : { ifVersion }),
    ...(expiryMs === undefined ? {} : { expiryMs }),
  };
}

function throwUnlessDone(key: string, { status, version }: RecordStatusResponse): void {
  if (status === "exists")
    throw new TrubaError("EXISTS", `record ${key} exists, with version ${version}`);
  if (status === "notfound") throw new TrubaError("NOTFOUND", `there is no record ${key}`);
  if (status === "conflict")
    throw new TrubaError("VERSIONCONFLICT", `record ${key} has version ${version}`);
}
