/** Requests for sessions and their answers, as JSON. */
import { z } from "zod";
import { limits } from "../../base/limits.ts";
import {
  bytes,
  choice,
  count,
  duration,
  epoch,
  flag,
  kindName,
  moment,
  object,
  sessionId,
  text,
} from "./wire-fields.ts";

const handle = { session: sessionId, epoch } as const;
const state = choice(["active", "stored", "dead"], { description: "state of the session" });
const repeats = count({ description: "deliveries so far", example: 1 });
const recordsCount = count({ description: "its records", example: 2 });
const records = z.array(bytes("a record")).meta({ description: "its records, in order" });
const sessionBytes = count({ description: "bytes of its records", example: 10 });
const length = object({ recordsCount, bytes: sessionBytes });
const putOff = object({
  status: z.enum(["stored", "dead"]).meta({ description: "dead: it had its last repeat" }),
  dueAtMs: moment("when it comes back"),
});

const info = {
  session: sessionId,
  kind: kindName,
  state,
  epoch,
  repeats,
  createdAtMs: moment("when it was opened"),
  dueAtMs: moment("active: when it counts as hung; stored: when it is due; dead: 0"),
  recordsCount,
  bytes: sessionBytes,
} as const;

export const sessionSchemas = {
  "session.new": {
    request: object({
      kind: kindName,
      data: bytes("its first record").optional(),
      tag: text({
        description: "puts it on the partition of this {tag}",
        example: "order-7",
      }).optional(),
      detached: flag("over HTTP every session is").optional(),
    }),
    response: object(handle),
  },
  "session.append": { request: object({ ...handle, data: bytes("the record") }), response: length },
  "session.replace": {
    request: object({ ...handle, data: bytes("the record") }),
    response: length,
  },
  "session.touch": {
    request: object(handle),
    response: object({ dueAtMs: moment("when it counts as hung") }),
  },
  "session.delete": { request: object(handle), response: object({ deleted: z.literal(true) }) },
  "session.store": {
    request: object({
      ...handle,
      afterMs: duration("instead of the kind's delay; 0 = at once", limits.delayMaxMs).optional(),
    }),
    response: putOff,
  },
  "session.take": {
    request: object({
      kinds: z
        .array(kindName)
        .min(1)
        .max(limits.kindsMaxCount)
        .meta({ description: "kinds, by name" }),
      count: count({ description: "at most so many", min: 1, max: limits.takeMaxCount }).optional(),
      waitMs: duration("how long to wait for the first", limits.waitMaxMs).optional(),
    }),
    response: object({
      sessions: z.array(
        object({
          ...handle,
          kind: kindName,
          repeats,
          createdAtMs: moment("when it was opened"),
          records,
        }),
      ),
    }),
  },
  "session.get": {
    request: object({ session: sessionId }),
    response: object({ ...info, records }),
  },
  "session.list": {
    request: object({
      state: state.optional(),
      kind: kindName.optional(),
      after: sessionId.optional(),
      count: count({ description: "at most so many", min: 1, max: limits.listMaxCount }).optional(),
    }),
    response: object({ sessions: z.array(object(info)) }),
  },
  "session.revive": { request: object({ session: sessionId }), response: putOff },
  "session.kinds": {
    request: object({}),
    response: object({
      kinds: z.array(
        object({
          kind: kindName,
          number: count({ description: "number of the kind" }),
          delayMs: duration("delay of a stored session", limits.delayMaxMs),
          spreadMs: duration("random spread of the delay", limits.delayMaxMs),
          maxRepeats: count({ description: "deliveries after which a session is dead; 0 = never" }),
          maxBytes: count({ description: "bytes of its records, at most" }),
          silenceMs: duration(
            "silence after which an active one counts as hung",
            limits.delayMaxMs,
          ),
          closed: flag("not in the configuration any more"),
        }),
      ),
    }),
  },
} as const;
