/** Request ids are printable ASCII without blanks, 1 to 64 characters. */
import { limits } from "../../base/limits.ts";

/** Why bytes are not a request id; `undefined` if they are one. */
export function badRequestId(id: Uint8Array): string | undefined {
  if (id.length < 1 || id.length > limits.requestIdMaxBytes)
    return `the request id is ${id.length} bytes; it must be 1 to ${limits.requestIdMaxBytes}`;
  const bad = id.findIndex((byte) => byte < 0x21 || byte > 0x7e);
  if (bad < 0) return undefined;
  return `byte ${bad} of the request id is ${id[bad]}; it must be printable ASCII (33 to 126)`;
}
