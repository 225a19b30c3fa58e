/** Requests for records and their answers, as JSON. */
import { z } from "zod";
import { limits } from "../../base/limits.ts";
import { bytes, count, duration, flag, object, recordKeyText, version } from "./wire-fields.ts";

const expiryMs = duration("how long the record lives", limits.expiryMaxSeconds * 1_000, 1);

const status = object({
  status: z
    .enum(["created", "updated", "deleted", "missing", "exists", "notfound", "conflict"])
    .meta({ description: "what was done, or which condition did not hold" }),
  version,
  copies: count({
    description: "full copies that hold the write; 0 = nothing was written",
    example: 1,
  }),
});

export const recordSchemas = {
  "record.set": {
    request: object({
      key: recordKeyText,
      value: bytes("value of the record"),
      ifAbsent: flag("only if there is no such record").optional(),
      ifPresent: flag("only if there is such a record").optional(),
      ifVersion: count({
        description: "only if the record has this version; 0 = does not exist",
      }).optional(),
      expiryMs: expiryMs.optional(),
    }),
    response: status,
  },
  "record.delete": {
    request: object({
      key: recordKeyText,
      ifVersion: count({ description: "only if the record has this version" }).optional(),
    }),
    response: status,
  },
  "record.get": {
    request: object({ key: recordKeyText }),
    response: object({ version, value: bytes("value of the record").nullable() }),
  },
  "record.check": {
    request: object({ key: recordKeyText, ifVersion: version }),
    response: object({ version }),
  },
} as const;
