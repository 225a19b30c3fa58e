/** What connections say of themselves: names in which no blank or line break could forge a line of CLIENT LIST. */
import { limits } from "../base/limits.ts";
import { type Call, textOf } from "./call.ts";
import { type Failure, failure } from "./failure.ts";

/** Why an argument is not such a name; `what` names it. Empty is one. */
export function checkClientName(call: Call, index: number, what: string): Failure | undefined {
  const bytes = call.end(index) - call.start(index);
  if (bytes > limits.clientNameMaxBytes) {
    return failure(
      "BADVALUE",
      `${what} is ${bytes} bytes; the limit is ${limits.clientNameMaxBytes}`,
    );
  }
  if (/^[!-~]*$/.test(textOf(call, index))) return undefined;
  return failure("ERR", `${what} cannot contain spaces, newlines or special characters.`);
}
