/** Which codes of the error table each verb may answer, beside those that any request may. */
import type { ErrorCode } from "../../base/errors.ts";
import type { Verb } from "../../protocol/requests.ts";

const queue = ["BADQUEUENAME", "NOQUEUE"] as const;
const settling = [...queue, "LEASELOST"] as const;
const session = ["BADSESSION", "NOSESSION", "FENCED", "REPEATLIMIT"] as const;
const policies = ["BADMAXSIZE", "BADMAXPAYLOAD"] as const;

export const verbErrors: Readonly<Record<Verb, readonly ErrorCode[]>> = {
  "record.set": ["BADKEY", "TOOLARGE"],
  "record.delete": ["BADKEY"],
  "record.get": ["BADKEY"],
  "record.check": ["BADKEY", "NOTFOUND", "VERSIONCONFLICT"],
  "queue.create": [
    "BADQUEUENAME",
    "QUEUEEXISTS",
    "BADPRIORITYRANGE",
    "NOPRIORITYRANGE",
    "BADIMPLEMENTATION",
    ...policies,
    "TOOMANY",
  ],
  "queue.alter": [...queue, ...policies],
  "queue.delete": ["BADQUEUENAME"],
  "queue.push": [...queue, "QUEUEFULL", "PAYLOADTOOLARGE", "PRIORITYOUTOFRANGE", "TOOLARGE"],
  "queue.pop": queue,
  "queue.ack": settling,
  "queue.nack": settling,
  "queue.extend": settling,
  "queue.check": settling,
  "queue.peek": queue,
  "queue.count": queue,
  "queue.stats": queue,
  "queue.list": [],
  "queue.purge": queue,
  "queue.pause": queue,
  "queue.resume": queue,
  "queue.revive": queue,
  "session.new": ["NOKIND", "KINDCLOSED", "SESSIONTOOLONG"],
  "session.append": [...session, "SESSIONTOOLONG"],
  "session.replace": [...session, "SESSIONTOOLONG"],
  "session.touch": session,
  "session.delete": session,
  "session.store": session,
  "session.take": ["NOKIND"],
  "session.get": ["BADSESSION", "NOSESSION"],
  "session.list": ["BADSESSION"],
  "session.revive": ["BADSESSION", "NOSESSION"],
  "session.kinds": [],
};
