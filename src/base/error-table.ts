/**
 * Every error that a caller can meet. Codes are stable: clients branch on them, texts may be reworded. `docs/errors.md` is made from this table.
 */

export interface ErrorKind {
  /** HTTP status (RFC 9110). */
  readonly status: number;
  /** Whether the same request may succeed later without being changed. */
  readonly retryable: boolean;
  /** What it means and what to do: the text of docs/errors.md. */
  readonly meaning: string;
  /** Code of the same error in TaskFlux (`ErrorType`), or of a policy violation there. */
  readonly taskFlux?: { readonly error: number } | { readonly policy: number };
  /** Code of the same error in mpy6a. */
  readonly mpy6a?: number;
}

export const errorKinds = {
  // Requests
  ERR: {
    status: 400,
    retryable: false,
    meaning: "The command is unknown, incomplete or malformed. Mend the request.",
  },
  BADKEY: {
    status: 400,
    retryable: false,
    meaning: "The key is not a UUID of version 4 (RFC 9562), with or without a {tag} before it.",
  },
  BADVALUE: {
    status: 400,
    retryable: false,
    meaning:
      "An argument is not of the right form or outside its range; the text names it, its value and the limit.",
  },
  TOOLARGE: {
    status: 413,
    retryable: false,
    meaning: "A value, request or atomic group is larger than its limit; nothing of it was done.",
  },
  CROSSSLOT: {
    status: 400,
    retryable: false,
    meaning: "The keys of an atomic group are not on one partition. Give them one {tag}.",
  },
  EXECABORT: {
    status: 409,
    retryable: false,
    meaning:
      "An atomic group was not applied; the text names the first operation that failed and why.",
  },
  NOTSUPPORTED: {
    status: 501,
    retryable: false,
    meaning: "The protocol or option is known and this node does not offer it.",
  },
  // Conditions
  EXISTS: { status: 409, retryable: false, meaning: "The record exists and the request said NX." },
  NOTFOUND: {
    status: 404,
    retryable: false,
    meaning: "The record does not exist and the request needs it.",
  },
  VERSIONCONFLICT: {
    status: 409,
    retryable: false,
    meaning: "The record's version is not the one that IFVERSION named. Read it again.",
  },
  // Queues
  BADQUEUENAME: {
    status: 400,
    retryable: false,
    meaning: "A queue's name is printable ASCII (33 to 126) of 1 to 255 bytes.",
    taskFlux: { error: 1 },
  },
  NOQUEUE: {
    status: 404,
    retryable: false,
    meaning: "There is no queue of this name. Make it first; only `default` makes itself.",
    taskFlux: { error: 2 },
  },
  QUEUEEXISTS: {
    status: 409,
    retryable: false,
    meaning:
      "There is a queue of this name already, or one of another type where IFABSENT was said.",
    taskFlux: { error: 3 },
  },
  BADPRIORITYRANGE: {
    status: 400,
    retryable: false,
    meaning:
      "The lowest priority is above the highest, one of them is missing, or the range is too wide for its type.",
    taskFlux: { error: 4 },
  },
  BADMAXSIZE: {
    status: 400,
    retryable: false,
    meaning: "A queue's greatest size is a whole number from 0 to 2,147,483,647.",
    taskFlux: { error: 5 },
  },
  BADMAXPAYLOAD: {
    status: 400,
    retryable: false,
    meaning: "A queue's greatest payload is a whole number of bytes from 0 to the limit of values.",
    taskFlux: { error: 6 },
  },
  NOPRIORITYRANGE: {
    status: 400,
    retryable: false,
    meaning: "A queue of type range needs its lowest and highest priority.",
    taskFlux: { error: 7 },
  },
  BADIMPLEMENTATION: {
    status: 400,
    retryable: false,
    meaning: "A queue's type is fifo, priority or range.",
    taskFlux: { error: 8 },
  },
  QUEUEFULL: {
    status: 429,
    retryable: true,
    meaning: "The queue has as many tasks as its greatest size says; nothing was added.",
    taskFlux: { policy: 1 },
  },
  PAYLOADTOOLARGE: {
    status: 413,
    retryable: false,
    meaning: "The payload is larger than the queue allows; nothing was added.",
    taskFlux: { policy: 2 },
  },
  PRIORITYOUTOFRANGE: {
    status: 400,
    retryable: false,
    meaning:
      "The priority is outside the queue's range, or the queue takes none; nothing was added.",
    taskFlux: { policy: 3 },
  },
  LEASELOST: {
    status: 409,
    retryable: false,
    meaning:
      "The lease does not hold: it ended, or the task was given back, acknowledged or deleted. Somebody else may have the task.",
  },
  TOOMANY: {
    status: 409,
    retryable: false,
    meaning: "There are as many of these as there may be; the text names them and the limit.",
  },
  // Sessions
  BADSESSION: {
    status: 400,
    retryable: false,
    meaning: "A session's id is {tag} and 16 hexadecimal digits.",
    mpy6a: 4000,
  },
  NOSESSION: {
    status: 404,
    retryable: false,
    meaning: "There is no such session; it was deleted, or never was.",
  },
  FENCED: {
    status: 409,
    retryable: false,
    meaning:
      "The epoch is not the session's: it was stored or given to somebody else meanwhile. Let it go.",
  },
  SESSIONTOOLONG: {
    status: 413,
    retryable: false,
    meaning: "The records of the session would be longer than its kind allows; nothing was added.",
    mpy6a: 2000,
  },
  REPEATLIMIT: {
    status: 409,
    retryable: false,
    meaning:
      "The session has reached the repeat limit of its kind and is among the dead. Revive it to go on.",
    mpy6a: 2001,
  },
  NOTDEAD: {
    status: 409,
    retryable: false,
    meaning:
      "The session is not among the dead: it was revived already, or never died. Nothing was changed.",
  },
  NOKIND: {
    status: 404,
    retryable: false,
    meaning: "There is no kind of sessions of this name in the configuration.",
  },
  KINDCLOSED: {
    status: 409,
    retryable: false,
    meaning: "The kind of sessions was taken out of the configuration: there are no new ones.",
  },
  // Documents
  BADDOCUMENTNAME: {
    status: 400,
    retryable: false,
    meaning: "A document's name is 1 to 128 of the characters A-Z a-z 0-9 . _ ~ -",
  },
  NODOCUMENT: {
    status: 404,
    retryable: false,
    meaning: "There is no document of this name. The first patch makes it.",
  },
  BADPATCH: {
    status: 400,
    retryable: false,
    meaning: "It is not a JSON Patch (RFC 6902); the text names the operation and what is wrong.",
  },
  PATCHFAILED: {
    status: 409,
    retryable: false,
    meaning:
      "An operation of the patch fails at the present state of the document; nothing was changed.",
  },
  HASHCONFLICT: {
    status: 412,
    retryable: false,
    meaning: "The document is not the one that the request was made for. Read it again.",
  },
  DOCUMENTDAMAGED: {
    status: 500,
    retryable: false,
    meaning:
      "The files of this document are damaged; the text names which and where. Nothing of them was changed, and all other documents work.",
  },
  HISTORYTRIMMED: {
    status: 410,
    retryable: false,
    meaning: "The history of the document does not reach back so far: it was given up by choice.",
  },
  NOMEMBER: {
    status: 404,
    retryable: false,
    meaning: "No node of this name takes part in the document.",
  },
  SOURCECONFLICT: {
    status: 409,
    retryable: false,
    meaning:
      "Two nodes write under one name, or two transactions have one Id. Give one of the nodes another name.",
  },
  // Request ids (DESIGN: once)
  REQUESTAHEAD: {
    status: 400,
    retryable: false,
    meaning:
      "The time in the request id is more than 60 s ahead of the server. Make ids from server time.",
  },
  REQUESTTOOOLD: {
    status: 409,
    retryable: false,
    meaning:
      "The request id is older than what the server remembers and unknown; it was not run, now. Whether it ran before is not known.",
  },
  REQUESTREUSED: {
    status: 409,
    retryable: false,
    meaning:
      "The request id was used before with another operation. Make a new id for each request.",
  },
  // Access
  NOAUTH: {
    status: 401,
    retryable: false,
    meaning: "The node wants a token: AUTH, HELLO … AUTH, or Authorization: Bearer.",
  },
  WRONGPASS: { status: 401, retryable: false, meaning: "The node does not know the token." },
  NOPERM: {
    status: 403,
    retryable: false,
    meaning: "The token's role does not allow this; the text names the role that does.",
  },
  BADORIGIN: {
    status: 403,
    retryable: false,
    meaning:
      "The request comes from a page of another origin, which the configuration does not allow.",
  },
  // HTTP
  BADJSON: { status: 400, retryable: false, meaning: "The body is not JSON, or not in UTF-8." },
  BADCONTENTTYPE: {
    status: 415,
    retryable: false,
    meaning: "The content type of the body is not one that this address takes.",
  },
  NOROUTE: { status: 404, retryable: false, meaning: "There is nothing at this address." },
  BADMETHOD: { status: 405, retryable: false, meaning: "The address does not take this method." },
  NOSUBSCRIPTION: {
    status: 404,
    retryable: false,
    meaning: "There is no stream of events of this id; it has ended.",
  },
  SLOWREQUEST: {
    status: 408,
    retryable: true,
    meaning: "The request did not arrive whole in time; nothing of it was done.",
  },
  // The client
  NOCONNECTION: {
    status: 503,
    retryable: true,
    meaning: "The client has reached no node in the time that it had; nothing was sent.",
  },
  CLOSED: {
    status: 503,
    retryable: false,
    meaning: "The client, or what was opened of it, is closed.",
  },
  BADANSWER: {
    status: 502,
    retryable: false,
    meaning: "The node answered what this client does not understand.",
  },
  // The node
  OVERLOADED: {
    status: 429,
    retryable: true,
    meaning: "The node has as much in hand as it may; nothing of the request was done.",
  },
  DISKFULL: {
    status: 507,
    retryable: true,
    meaning: "Free disk space is below the low-water mark: writes are refused, reads go on.",
  },
  NOQUORUM: {
    status: 503,
    retryable: true,
    meaning: "A majority of the partition's voters cannot be reached; nothing was acknowledged.",
  },
  BADCHANGE: {
    status: 409,
    retryable: false,
    meaning:
      "The members of a partition cannot be changed so, as they stand now; the text says why. Nothing was changed.",
  },
  NOTLEADER: { status: 421, retryable: true, meaning: "This node does not lead the partition." },
  UNKNOWNOUTCOME: {
    status: 504,
    retryable: true,
    meaning: "The write may or may not have happened. Repeat it with the same request id.",
  },
  SHUTTINGDOWN: {
    status: 503,
    retryable: true,
    meaning: "The node is stopping and takes no new requests.",
  },
  MAXCONNECTIONS: {
    status: 503,
    retryable: true,
    meaning: "The node has as many connections as it may.",
  },
  STOPPED: {
    status: 503,
    retryable: true,
    meaning: "The node has stopped because it can no longer make writes durable.",
  },
  // Data at rest
  DATALOCKED: { status: 500, retryable: true, meaning: "Another process uses the data directory." },
  DATADAMAGED: {
    status: 500,
    retryable: false,
    meaning:
      "Acknowledged data on disk is damaged or missing. The node refuses to start on it; the text names what and where.",
  },
  DATAVERSION: {
    status: 500,
    retryable: false,
    meaning: "The data was written by a version of Truba that this one cannot read.",
  },
  BADCONFIG: {
    status: 500,
    retryable: false,
    meaning: "The configuration has problems; all of them are listed.",
  },
} as const satisfies Record<string, ErrorKind>;
