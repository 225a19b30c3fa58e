/** The check of request ids, as a surface refuses them. */
import { badRequestId } from "../machines/once/request-id.ts";
import { type Failure, failure } from "./failure.ts";

export function checkRequestId(id: Uint8Array): Failure | undefined {
  const bad = badRequestId(id);
  return bad === undefined ? undefined : failure("BADVALUE", bad);
}
