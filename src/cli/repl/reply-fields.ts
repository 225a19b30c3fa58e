/** The maps of RESP3 by their names. */
import type { RespReply } from "../../protocol/resp-reply.ts";

export type Fields = ReadonlyMap<string, RespReply>;

/** The fields of a map; of anything else none. */
export function fieldsOf(reply: RespReply): Fields {
  if (!(reply instanceof Map)) return new Map();
  return new Map([...reply].map(([name, value]) => [textOf(name), value]));
}

/** A text, as a bulk string or a simple one; of anything else nothing. */
export function textOf(reply: RespReply | undefined): string {
  if (Buffer.isBuffer(reply)) return reply.toString("utf8");
  return typeof reply === "string" ? reply : "";
}
