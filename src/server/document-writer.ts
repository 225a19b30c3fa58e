/** Writes answers about documents, and what watchers are told, as RESP: see protocol/document-fields.ts. */
import { documentJsonFields, documentListFields } from "../protocol/document-fields.ts";
import type { RespWriter } from "../protocol/resp-writer.ts";
import { writeResponse } from "./response-writer.ts";

export function writeDocumentAnswer(answer: object, reply: RespWriter): void {
  const fields = Object.entries(answer).filter(([, value]) => value !== undefined);
  reply.map(fields.length);
  for (const [name, value] of fields as readonly [string, unknown][]) {
    reply.bulkText(name);
    if (documentJsonFields.has(name)) reply.bulkText(JSON.stringify(value));
    else if (documentListFields.has(name) && Array.isArray(value)) {
      reply.array(value.length);
      for (const each of value as readonly object[]) writeDocumentAnswer(each, reply);
    } else writeResponse(value, reply);
  }
}
