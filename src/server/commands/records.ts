/** Commands on records: those of Redis, answered as Redis does, and RECORD.*, which tell status, copies and version. */
import { limits } from "../../base/limits.ts";
import { operationCodes } from "../../machines/operation.ts";
import type { Outcome, RecordOutcome } from "../../machines/outcome.ts";
import { recordResponse } from "../../machines/records/record-request.ts";
import type { RespWriter } from "../../protocol/resp-writer.ts";
import type { Call } from "../call.ts";
import type { Command, ManyCommand, ReadCommand, WriteCommand } from "../command.ts";
import { type Failure, failure, failureOf } from "../failure.ts";
import type { Operation } from "../../machines/operation.ts";
import { type FoundRecord, findRecord } from "../record-read.ts";
import { writeResponse } from "../response-writer.ts";
import { type Session, writeFailure } from "../session.ts";
import { scanCommand } from "./scan.ts";

/** Full copies that hold a write once it is confirmed: one node holds one. */
const copies = 1;

function parseSet(call: Call, session: Session): Operation | Failure {
  const operation = session.context.operation;
  return operation.parseSet(call) ?? operation;
}

function parseDelete(call: Call, session: Session): Operation | Failure {
  const operation = session.context.operation;
  return operation.parseDelete(call) ?? operation;
}

function parseGet(call: Call, session: Session): Operation | Failure {
  const operation = session.context.operation;
  return operation.parseKey(call, 1, operationCodes.recordGet) ?? operation;
}

function isWritten(outcome: RecordOutcome): boolean {
  return (
    outcome.status === "created" || outcome.status === "updated" || outcome.status === "deleted"
  );
}

function renderStatus(outcome: Outcome, reply: RespWriter): void {
  if (outcome.kind !== "record") return;
  reply.map(3);
  reply.bulkText("status");
  reply.bulkText(outcome.status);
  reply.bulkText("copies");
  reply.integer(isWritten(outcome) ? copies : 0);
  reply.bulkText("version");
  reply.integer(outcome.version);
}

const set: WriteCommand = {
  kind: "write",
  name: "SET",
  arity: -3,
  flags: ["write", "denyoom"],
  role: "write",
  group: "records",
  since: "0.1.0",
  usage: "key value [NX | XX | IFVERSION version] [EX seconds | PX milliseconds] [REQUEST id]",
  help: "Sets a record. Nil if the condition does not hold.",
  keys: [1, 1, 1],
  parse: parseSet,
  render(outcome, reply) {
    if (outcome.kind === "record" && isWritten(outcome)) reply.ok();
    else reply.nullBulk();
  },
};

const get: ReadCommand = {
  kind: "read",
  name: "GET",
  arity: 2,
  flags: ["readonly", "fast"],
  role: "read",
  group: "records",
  since: "0.1.0",
  usage: "key",
  help: "The value of a record, or nil.",
  keys: [1, 1, 1],
  run(call, session, reply) {
    const found = findRecord(call, 1, session.context);
    if (found.failure !== undefined) writeFailure(reply, found.failure);
    else if (found.address === 0) reply.nullBulk();
    else {
      const { records, address } = found;
      reply.bulk(records.buffer(address), records.valueStart(address), records.valueEnd(address));
    }
  },
  parse: parseGet,
  render(outcome, reply) {
    if (outcome.kind !== "value" || outcome.value === undefined) reply.nullBulk();
    else reply.bulk(outcome.value, 0, outcome.value.length);
  },
};

function deleteMany(name: string): ManyCommand {
  return {
    kind: "many",
    name,
    arity: -2,
    flags: ["write"],
    role: "write",
    group: "records",
    since: "0.1.0",
    usage: "key [key ...] [REQUEST id]",
    help: "Deletes records; says how many there were. Several keys are deleted one by one, not as a group.",
    keys: [1, -1, 1],
    parse(call, index, session) {
      const operation = session.context.operation;
      return operation.parseKey(call, index, operationCodes.recordDelete) ?? operation;
    },
    counts: (outcome) => outcome.kind === "record" && outcome.status === "deleted",
  };
}

const recordSet: WriteCommand = {
  ...set,
  name: "RECORD.SET",
  help: "Sets a record; answers status (created, updated, exists, notfound, conflict), copies that hold it, version.",
  render: renderStatus,
};

const recordDelete: WriteCommand = {
  kind: "write",
  name: "RECORD.DELETE",
  arity: -2,
  flags: ["write"],
  role: "write",
  group: "records",
  since: "0.1.0",
  usage: "key [IFVERSION version] [REQUEST id]",
  help: "Deletes a record; answers status (deleted, missing, notfound, conflict), copies, version.",
  keys: [1, 1, 1],
  parse: parseDelete,
  render: renderStatus,
};

/** In a group it is a condition; by itself it says whether the condition holds. */
const recordCheck: WriteCommand = {
  kind: "write",
  name: "RECORD.CHECK",
  arity: -4,
  flags: ["write"],
  role: "write",
  group: "records",
  since: "0.2.0",
  usage: "key IFVERSION version [REQUEST id]",
  help: "In MULTI: nothing is applied unless the record has this version; 0 = it must not exist.",
  answer: "version; or the error VERSIONCONFLICT or NOTFOUND",
  keys: [1, 1, 1],
  parse(call, session) {
    const operation = session.context.operation;
    return operation.parseCheck(call) ?? operation;
  },
  render(outcome, reply) {
    try {
      writeResponse(recordResponse("record.check", outcome), reply);
    } catch (error) {
      writeFailure(reply, failureOf(error));
    }
  },
};

const recordGet: ReadCommand = {
  kind: "read",
  name: "RECORD.GET",
  arity: 2,
  flags: ["readonly", "fast"],
  role: "read",
  group: "records",
  since: "0.1.0",
  usage: "key",
  help: "Status (found, missing), copies, version and value of a record.",
  keys: [1, 1, 1],
  run(call, session, reply) {
    const found = findRecord(call, 1, session.context);
    if (found.failure !== undefined) {
      writeFailure(reply, found.failure);
      return;
    }
    const { records, address } = found;
    if (address === 0) {
      renderFound(reply, 0);
      reply.nullBulk();
      return;
    }
    renderFound(reply, records.version(address));
    reply.bulk(records.buffer(address), records.valueStart(address), records.valueEnd(address));
  },
  parse: parseGet,
  render(outcome, reply) {
    if (outcome.kind !== "value") return;
    renderFound(reply, outcome.version);
    if (outcome.value === undefined) reply.nullBulk();
    else reply.bulk(outcome.value, 0, outcome.value.length);
  },
};

/** The map of RECORD.GET up to its value. Version 0 = there is none. */
function renderFound(reply: RespWriter, version: number): void {
  reply.map(4);
  reply.bulkText("status");
  reply.bulkText(version === 0 ? "missing" : "found");
  reply.bulkText("copies");
  reply.integer(version === 0 ? 0 : copies);
  reply.bulkText("version");
  reply.integer(version);
  reply.bulkText("value");
}

/** A read of one key that answers with a number. */
function numberRead(parts: {
  name: string;
  help: string;
  missing: number;
  answer(found: FoundRecord, session: Session): number;
}): Command {
  return {
    kind: "plain",
    name: parts.name,
    arity: 2,
    flags: ["readonly", "fast"],
    role: "read",
    group: "records",
    since: "0.1.0",
    usage: "key",
    help: parts.help,
    keys: [1, 1, 1],
    run(call, session, reply) {
      const found = findRecord(call, 1, session.context);
      if (found.failure !== undefined) writeFailure(reply, found.failure);
      else reply.integer(found.address === 0 ? parts.missing : parts.answer(found, session));
    },
  };
}

/** Milliseconds that a record has left; -1 = it does not expire. */
function millisecondsLeft({ records, address }: FoundRecord, session: Session): number {
  const expiry = records.expiresAt(address);
  return expiry === 0 ? -1 : Math.max(0, expiry - session.context.clock.wallMs());
}

const exists: Command = {
  kind: "plain",
  name: "EXISTS",
  arity: -2,
  flags: ["readonly", "fast"],
  role: "read",
  group: "records",
  since: "0.1.0",
  usage: "key [key ...]",
  help: "How many of the keys have a record; a key named twice counts twice.",
  keys: [1, -1, 1],
  run(call, session, reply) {
    let count = 0;
    for (let i = 1; i < call.count; i++) {
      const found = findRecord(call, i, session.context);
      if (found.failure !== undefined) {
        writeFailure(reply, found.failure);
        return;
      }
      if (found.address !== 0) count++;
    }
    reply.integer(count);
  },
};

const mget: Command = {
  ...exists,
  name: "MGET",
  help: "The values of several records, nil for those that are not there.",
  run(call, session, reply) {
    let bytes = 0;
    for (let i = 1; i < call.count; i++) {
      const found = findRecord(call, i, session.context);
      if (found.failure !== undefined) {
        writeFailure(reply, found.failure);
        return;
      }
      if (found.address === 0) continue;
      bytes += found.records.valueEnd(found.address) - found.records.valueStart(found.address);
    }
    if (bytes > limits.answerMaxBytes) {
      const text = `the values are ${bytes} bytes; one answer may have ${limits.answerMaxBytes}`;
      writeFailure(reply, failure("TOOLARGE", text));
      return;
    }
    reply.array(call.count - 1);
    for (let i = 1; i < call.count; i++) {
      const found = findRecord(call, i, session.context);
      if (found.failure !== undefined || found.address === 0) reply.nullBulk();
      else
        reply.bulk(
          found.records.buffer(found.address),
          found.records.valueStart(found.address),
          found.records.valueEnd(found.address),
        );
    }
  },
};

const type: Command = {
  ...exists,
  name: "TYPE",
  arity: 2,
  usage: "key",
  help: "string if there is a record under the key, else none.",
  keys: [1, 1, 1],
  run(call, session, reply) {
    const found = findRecord(call, 1, session.context);
    if (found.failure !== undefined) writeFailure(reply, found.failure);
    else reply.simple(found.address === 0 ? "none" : "string");
  },
};

export const recordCommands: readonly Command[] = [
  set,
  get,
  deleteMany("DEL"),
  deleteMany("UNLINK"),
  exists,
  mget,
  type,
  numberRead({
    name: "STRLEN",
    help: "Length of a record's value in bytes; 0 if there is none.",
    missing: 0,
    answer: ({ records, address }) => records.valueEnd(address) - records.valueStart(address),
  }),
  numberRead({
    name: "PTTL",
    help: "Milliseconds until a record expires; -1 never, -2 there is none.",
    missing: -2,
    answer: millisecondsLeft,
  }),
  numberRead({
    name: "TTL",
    help: "Seconds until a record expires; -1 never, -2 there is none.",
    missing: -2,
    answer(found, session) {
      const left = millisecondsLeft(found, session);
      return left < 0 ? left : Math.round(left / 1_000);
    },
  }),
  scanCommand,
  recordSet,
  recordGet,
  recordDelete,
  recordCheck,
];
