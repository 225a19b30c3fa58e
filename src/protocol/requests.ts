/**
 * The vocabulary of Truba: everything that a caller can ask and what is answered, as plain objects. The embedded library, the client, RESP, HTTP and the REPL all
 * speak it, so a request means the same on every surface. `verb-facts.ts` tells how a request is written as words.
 *
 * Times are milliseconds, and say so in their names; `…AtMs` is a moment in log time, milliseconds since 1970. Ids, leases, epochs and versions are numbers of
 * operations of their partition: whole, positive, below 2^53. Optional fields take the queue's or kind's own setting, or nothing.
 */

export type QueueImplementation = "fifo" | "priority" | "range";
export type QueueOrder = "lowest" | "highest";
/** Handed out next; not before its time; in somebody's hands; dead after its last delivery. */
export type TaskState = "waiting" | "delayed" | "leased" | "dead";
/** In somebody's hands; stored until it is due; dead after its last repeat. */
export type SessionState = "active" | "stored" | "dead";

/** A signed whole number of 64 bits; a number where it is one of ±(2^53 - 1), else a bigint. */
export type Int64 = number | bigint;

/** What a queue checks and does, and may be altered later. `undefined` leaves it, `null` takes it away. */
export interface QueuePolicies {
  /** Tasks that wait, are delayed or are leased, at most (QUEUEFULL). 0 to 2^31 - 1; none = no limit. */
  readonly maxSize?: number | null;
  /** Bytes of one payload, at most (PAYLOADTOOLARGE). 0 to the limit of values, which is the default. */
  readonly maxPayloadBytes?: number | null;
  /** How long a task is lent out. Default 30 s. */
  readonly leaseMs?: number;
  /** Deliveries after which a task is dead; 0 = never. Default 20. */
  readonly maxDeliveries?: number;
  /** Where dead tasks go, in the same entry: a queue on the same partition, made if it is not there. Without one they stay here, as dead. */
  readonly deadLetter?: string | null;
  /** How long a dedup id is remembered, from its push on. Default 5 min. */
  readonly dedupMs?: number;
}

export interface QueueSettings extends QueuePolicies {
  /** Default fifo. */
  readonly implementation?: QueueImplementation;
  /** Which priority goes first. Default lowest. */
  readonly order?: QueueOrder;
  /** Both or none (PRIORITYOUTOFRANGE); `range` needs them (NOPRIORITYRANGE). */
  readonly priorityMin?: Int64;
  readonly priorityMax?: Int64;
}

/** One delivery of a task. */
export interface Lease {
  readonly task: number;
  readonly lease: number;
}

/** A task as it is handed out. */
export interface DeliveredTask extends Lease {
  readonly priority: Int64;
  /** This one included. */
  readonly deliveries: number;
  readonly pushedAtMs: number;
  readonly leaseEndsAtMs: number;
  readonly payload: Uint8Array;
}

/** A task as it is looked at. */
export interface PeekedTask {
  readonly task: number;
  readonly state: TaskState;
  readonly priority: Int64;
  readonly deliveries: number;
  readonly pushedAtMs: number;
  /** When the delay or the lease ends; 0 = neither. */
  readonly dueAtMs: number;
  /** 0 = it does not expire. */
  readonly expiresAtMs: number;
  readonly payload: Uint8Array;
}

/** Settings and counts of a queue. */
export interface QueueStats {
  readonly queue: string;
  readonly implementation: QueueImplementation;
  readonly order: QueueOrder;
  readonly priorityMin: Int64 | null;
  readonly priorityMax: Int64 | null;
  readonly maxSize: number | null;
  readonly maxPayloadBytes: number | null;
  readonly leaseMs: number;
  readonly maxDeliveries: number;
  readonly deadLetter: string | null;
  readonly dedupMs: number;
  readonly paused: boolean;
  readonly createdAtMs: number;
  readonly waiting: number;
  readonly delayed: number;
  readonly leased: number;
  readonly dead: number;
  /** Payloads of all its tasks. */
  readonly payloadBytes: number;
  /** When the task that would be handed out next was pushed; 0 = none waits. */
  readonly nextPushedAtMs: number;
}

/** A session as its owner has it: writes name the id and the epoch. */
export interface SessionHandle {
  /** `{tag}` and 16 hexadecimal digits. */
  readonly session: string;
  readonly epoch: number;
}

/** A session as it is handed to its handler. */
export interface DeliveredSession extends SessionHandle {
  readonly kind: string;
  /** Deliveries so far, this one included. */
  readonly repeats: number;
  readonly createdAtMs: number;
  readonly records: readonly Uint8Array[];
}

/** What is known of a session beside its records. */
export interface SessionInfo {
  readonly session: string;
  readonly kind: string;
  readonly state: SessionState;
  readonly epoch: number;
  readonly repeats: number;
  readonly createdAtMs: number;
  /** Active: when it counts as hung. Stored: when it is due. Dead: 0. */
  readonly dueAtMs: number;
  readonly recordsCount: number;
  readonly bytes: number;
}

/** A kind of sessions, with its settings. */
export interface KindInfo {
  readonly kind: string;
  readonly number: number;
  readonly delayMs: number;
  readonly spreadMs: number;
  readonly maxRepeats: number;
  readonly maxBytes: number;
  readonly silenceMs: number;
  /** Not in the configuration any more: no new sessions. */
  readonly closed: boolean;
}

interface QueueName {
  readonly queue: string;
}

/** Done or not, and the version that stands now (0 = no record). */
export interface RecordStatusResponse {
  readonly status:
    | "created"
    | "updated"
    | "deleted"
    | "missing"
    | "exists"
    | "notfound"
    | "conflict";
  readonly version: number;
  /** Full copies that hold the write; 0 if nothing was written. */
  readonly copies: number;
}

/** `session.store` and what puts a session off: when it comes back, or that it is dead. */
export interface StoredResponse {
  readonly status: "stored" | "dead";
  readonly dueAtMs: number;
}

/** Every verb with what it takes and what it answers. */
export interface Requests {
  "record.set": {
    request: {
      readonly key: string;
      readonly value: Uint8Array;
      /** At most one of the three conditions. */
      readonly ifAbsent?: boolean;
      readonly ifPresent?: boolean;
      /** 0 = it must not exist. */
      readonly ifVersion?: number;
      readonly expiryMs?: number;
    };
    response: RecordStatusResponse;
  };
  "record.delete": {
    request: { readonly key: string; readonly ifVersion?: number };
    response: RecordStatusResponse;
  };
  "record.get": {
    request: { readonly key: string };
    response: { readonly version: number; readonly value: Uint8Array | null };
  };
  /** In a group: it is not applied unless the record has this version (0 = does not exist). */
  "record.check": {
    request: { readonly key: string; readonly ifVersion: number };
    response: { readonly version: number };
  };

  "queue.create": {
    /** `ifAbsent`: a queue of the same implementation, order and range that is there already is fine, and stays as it is. */
    request: QueueName & QueueSettings & { readonly ifAbsent?: boolean };
    response: { readonly created: boolean };
  };
  "queue.alter": { request: QueueName & QueuePolicies; response: { readonly altered: boolean } };
  "queue.delete": { request: QueueName; response: { readonly deleted: boolean } };
  "queue.push": {
    request: QueueName & {
      readonly payload: Uint8Array;
      /** Default 0; a fifo queue takes no other. */
      readonly priority?: Int64;
      readonly delayMs?: number;
      readonly expiryMs?: number;
      readonly dedup?: string;
    };
    /** `duplicate`: the dedup id was known; `task` is the one pushed then, which may be gone. */
    response: { readonly task: number; readonly duplicate: boolean };
  };
  "queue.pop": {
    request: QueueName & {
      /** Default 1. */
      readonly count?: number;
      readonly leaseMs?: number;
      /** How long to wait for the first task. Default 0. */
      readonly waitMs?: number;
    };
    response: { readonly tasks: readonly DeliveredTask[] };
  };
  /** One lease that is lost is an error (LEASELOST); of several, those that hold are settled and the tasks of the others are named. In a group all must hold. */
  "queue.ack": {
    request: QueueName & { readonly leases: readonly Lease[] };
    response: { readonly settled: number; readonly lost: readonly number[] };
  };
  "queue.nack": {
    /** `uncounted`: the delivery does not count towards maxDeliveries. */
    request: QueueName & {
      readonly leases: readonly Lease[];
      readonly delayMs?: number;
      readonly uncounted?: boolean;
    };
    response: { readonly settled: number; readonly lost: readonly number[] };
  };
  "queue.extend": {
    request: QueueName & { readonly leases: readonly Lease[]; readonly leaseMs?: number };
    response: {
      readonly settled: number;
      readonly lost: readonly number[];
      readonly leaseEndsAtMs: number;
    };
  };
  /** In a group: it is not applied unless the lease holds. */
  "queue.check": {
    request: QueueName & { readonly leases: readonly Lease[] };
    response: { readonly settled: number; readonly lost: readonly number[] };
  };
  "queue.peek": {
    request: QueueName & {
      /** Default 10. */
      readonly count?: number;
      /** Default waiting, in the order in which they would be handed out; others by task. */
      readonly state?: TaskState;
      /** By task: only those behind this one. */
      readonly after?: number;
    };
    response: { readonly tasks: readonly PeekedTask[] };
  };
  "queue.count": {
    request: QueueName;
    response: {
      readonly waiting: number;
      readonly delayed: number;
      readonly leased: number;
      readonly dead: number;
    };
  };
  "queue.stats": { request: QueueName; response: QueueStats };
  "queue.list": {
    /** Names behind `after`, in order of bytes. Default count 100. */
    request: { readonly after?: string; readonly count?: number };
    response: { readonly queues: readonly QueueStats[] };
  };
  "queue.purge": {
    /** Default: what waits and what is delayed. `dead`: what is dead. */
    request: QueueName & { readonly state?: "waiting" | "dead" };
    response: { readonly count: number };
  };
  "queue.pause": { request: QueueName; response: { readonly changed: boolean } };
  "queue.resume": { request: QueueName; response: { readonly changed: boolean } };
  /** Dead tasks of this queue wait again, with no deliveries: one, or all. */
  "queue.revive": {
    request: QueueName & { readonly task?: number };
    response: { readonly count: number };
  };

  "session.new": {
    request: {
      readonly kind: string;
      readonly data?: Uint8Array;
      /** Decides the partition; without it one is made from the request id. In a group: the group's own. */
      readonly tag?: string;
      /** Does not end with the connection, only by silence. */
      readonly detached?: boolean;
    };
    response: SessionHandle;
  };
  "session.append": {
    request: SessionHandle & { readonly data: Uint8Array };
    response: { readonly recordsCount: number; readonly bytes: number };
  };
  "session.replace": {
    request: SessionHandle & { readonly data: Uint8Array };
    response: { readonly recordsCount: number; readonly bytes: number };
  };
  /** It is not hung: its silence begins anew. In a group: a condition. */
  "session.touch": {
    request: SessionHandle;
    response: { readonly dueAtMs: number };
  };
  "session.delete": { request: SessionHandle; response: { readonly deleted: true } };
  "session.store": {
    /** Default: the delay of the kind, with its spread. What is named is taken as it is. Due times are rounded up to seconds; 0 = at once. */
    request: SessionHandle & { readonly afterMs?: number };
    response: StoredResponse;
  };
  /** What is stored and due, of these kinds, in the order in which it is due; for whoever handles sessions. */
  "session.take": {
    request: {
      readonly kinds: readonly string[];
      /** Default 1. */
      readonly count?: number;
      readonly waitMs?: number;
    };
    response: { readonly sessions: readonly DeliveredSession[] };
  };
  "session.get": {
    request: { readonly session: string };
    response: SessionInfo & { readonly records: readonly Uint8Array[] };
  };
  "session.list": {
    /** By id behind `after`. Default count 100. */
    request: {
      readonly state?: SessionState;
      readonly kind?: string;
      readonly after?: string;
      readonly count?: number;
    };
    response: { readonly sessions: readonly SessionInfo[] };
  };
  /** A dead session is stored again, due at once, with no repeats. */
  "session.revive": { request: { readonly session: string }; response: StoredResponse };
  "session.kinds": {
    request: Readonly<Record<string, never>>;
    response: { readonly kinds: readonly KindInfo[] };
  };
}

export type Verb = keyof Requests;
export type RequestOf<V extends Verb> = Requests[V]["request"];
export type ResponseOf<V extends Verb> = Requests[V]["response"];

/** A verb with its request: one operation of a group. */
export type AnyRequest = {
  readonly [V in Verb]: { readonly verb: V; readonly request: RequestOf<V> };
}[Verb];
