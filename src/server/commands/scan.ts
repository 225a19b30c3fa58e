/** SCAN over all partitions: see record-scan.ts. */
import { limits } from "../../base/limits.ts";
import { type Call, integerOf, isWord, quoted, textOf } from "../call.ts";
import type { PlainCommand } from "../command.ts";
import { type Failure, failure, syntaxError } from "../failure.ts";
import { globMatches } from "../glob.ts";
import { isCursor, scanRecords } from "../record-scan.ts";
import type { ServerContext } from "../server-context.ts";
import { writeFailure } from "../session.ts";

const defaultCount = 10;

interface Scan {
  readonly cursor: number;
  readonly count: number;
  readonly match: string | undefined;
  /** TYPE: everything is a string. */
  readonly strings: boolean;
}

export const scanCommand: PlainCommand = {
  kind: "plain",
  name: "SCAN",
  arity: -2,
  flags: ["readonly"],
  role: "read",
  group: "records",
  since: "0.1.0",
  usage: "cursor [MATCH pattern] [COUNT count] [TYPE type]",
  help: "Some keys, and the cursor to go on with: 0 at the end.",
  keys: [0, 0, 0],
  run(call, session, reply) {
    const scan = parseScan(call, session.context);
    if ("text" in scan) {
      writeFailure(reply, scan);
      return;
    }
    const keys: string[] = [];
    const next = scanRecords(session.context.node.partitions, scan, (key) => {
      if (scan.strings && (scan.match === undefined || globMatches(scan.match, key)))
        keys.push(key);
    });
    reply.array(2);
    reply.bulkText(String(next));
    reply.array(keys.length);
    for (const key of keys) reply.bulkText(key);
  },
};

function parseScan(call: Call, context: ServerContext): Scan | Failure {
  const cursor = integerOf(call, 1);
  if (cursor === undefined || !isCursor(cursor, context.node.partitions)) {
    return { code: "BADVALUE", wire: "ERR", text: `invalid cursor ${quoted(call, 1)}` };
  }
  let count = defaultCount;
  let match: string | undefined;
  let strings = true;
  for (let i = 2; i < call.count; i += 2) {
    if (i + 1 === call.count) return syntaxError;
    if (isWord(call, i, "MATCH")) match = textOf(call, i + 1);
    else if (isWord(call, i, "TYPE")) strings = isWord(call, i + 1, "STRING");
    else if (isWord(call, i, "COUNT")) {
      const value = integerOf(call, i + 1);
      if (value === undefined || value < 1)
        return failure(
          "BADVALUE",
          `COUNT is ${quoted(call, i + 1)}; it must be a whole number from 1`,
        );
      count = Math.min(value, limits.scanMaxCount);
    } else return syntaxError;
  }
  return { cursor, count, match, strings };
}
