/** JSON values: plain objects and arrays, changed in place by their owner only. */

/** Any JSON. Numbers are IEEE 754 doubles (RFC 8259 §6). */
export type Json = null | boolean | number | string | JsonArray | JsonObject;

/** An array of JSON. */
export type JsonArray = readonly Json[];

/** An object of JSON. */
export interface JsonObject {
  readonly [name: string]: Json;
}
