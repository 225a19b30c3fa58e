/** JSON values, as the patch engine holds them. */
export type { Json, JsonArray, JsonObject } from "../base/json.ts";
