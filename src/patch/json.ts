/** JSON values, as the patch engine holds them: plain objects and arrays, changed in place by their owner only. Numbers are IEEE 754 doubles (RFC 8259 §6). */

export type Json = null | boolean | number | string | JsonArray | JsonObject;

export type JsonArray = readonly Json[];

export interface JsonObject {
  readonly [name: string]: Json;
}
