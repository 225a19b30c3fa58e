/** Answers about documents out of RESP3: see protocol/document-fields.ts. */
import { TrubaError } from "../base/errors.ts";
import { documentJsonFields } from "../protocol/document-fields.ts";
import type { Rejection } from "../protocol/documents.ts";
import { RespError, type RespReply } from "../protocol/resp-reply.ts";
import { badAnswer, errorIn, textIn } from "./resp-responses.ts";

/** The answer, or what is told, in a reply. Throws TrubaError: the error in the reply, or BADANSWER. */
export function documentAnswerIn(reply: RespReply): object {
  if (reply instanceof RespError) throw documentError(reply);
  if (!(reply instanceof Map)) throw badAnswer("a map", reply);
  const answer: Record<string, unknown> = {};
  for (const [key, value] of reply) {
    const name = textIn(key);
    answer[name] = documentJsonFields.has(name) ? jsonIn(value) : valueIn(value);
  }
  return answer;
}

function valueIn(value: RespReply): unknown {
  if (value instanceof Uint8Array) return value.toString("utf8");
  if (Array.isArray(value))
    return value.map((each) => (each instanceof Map ? documentAnswerIn(each) : textIn(each)));
  if (typeof value !== "object" || value === null) return value;
  throw badAnswer("a value", value);
}

function jsonIn(value: RespReply): unknown {
  const text = textIn(value);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw badAnswer("JSON", value);
  }
}

/** `PATCHFAILED operation op reason "path" text`: what the error's cause is elsewhere. */
function documentError(reply: RespError): TrubaError {
  const error = errorIn(reply);
  if (error.code !== "PATCHFAILED") return error;
  const parts = /^(\d+) (\w+) ([\w-]+) ("(?:[^"\\]|\\.)*") (.*)$/s.exec(error.message);
  if (parts === null) return error;
  const [, operation, op = "", reason = "", path = '""', text = ""] = parts;
  const cause: Rejection = {
    kind: "rejected",
    operation: Number(operation),
    op,
    path: JSON.parse(path) as string,
    reason,
    text,
  };
  return new TrubaError("PATCHFAILED", text, { cause });
}
