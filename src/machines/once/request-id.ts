/** Request ids are printable ASCII without blanks, 1 to 64 characters. */
import { limits } from "../../base/limits.ts";

/** Why bytes are not a request id; `undefined` if they are one. */
export function badRequestId(id: Uint8Array): string | undefined {
  if (id.length < 1 || id.length > limits.requestIdMaxBytes)
    return `the request id is ${id.length} bytes; it must be 1 to ${limits.requestIdMaxBytes}`;
  for (let i = 0; i < id.length; i++) {
    const byte = id[i] as number;
    if (byte < 0x21 || byte > 0x7e)
      return `byte ${i} of the request id is ${byte}; it must be printable ASCII (33 to 126)`;
  }
  return undefined;
}
