/** Truba for browsers: the client over HTTP. In Node the package is `index.ts`, which has `open` and speaks TCP; all other names are the same. */
export { connect, type HttpConnectOptions } from "./client/connect-http.ts";
export type { Fetch } from "./base/browser-fetch.ts";
export { type ErrorCode, TrubaError } from "./base/errors.ts";
export type { HandlerContext } from "./client/attempt.ts";
export type { BackoffOptions } from "./client/backoff.ts";
export type { CallLimits } from "./client/caller.ts";
export type { GroupRefusal } from "./client/channel.ts";
export type { Consumer, ConsumeOptions } from "./client/consumer.ts";
export {
  queue,
  type QueueDefinition,
  type QueueOptions,
  type RecordDefinition,
  records,
  session,
  type SessionDefinition,
  type SessionOptions,
} from "./client/definitions.ts";
export type {
  DocumentChangeOptions,
  DocumentGetOptions,
  DocumentState,
  PatchOperation,
  SharedDocument,
} from "./client/document.ts";
export type {
  DocumentSubscribeOptions,
  DocumentSubscription,
  DocumentUpdate,
} from "./client/document-subscription.ts";
export type { Duration } from "./client/duration.ts";
export type { Group } from "./client/group.ts";
export type {
  GroupQueue,
  GroupRecords,
  GroupSession,
  GroupSessions,
  Later,
} from "./client/group-operations.ts";
export type { HandleOptions, Handling, NextOperation, SessionHandler } from "./client/handling.ts";
export type {
  PopOptions,
  Pushed,
  PushOptions,
  Queue,
  QueueChanges,
  SeenTask,
} from "./client/queue.ts";
export type { Records, RecordValue, SetOptions, SetResult } from "./client/records.ts";
export type { Session } from "./client/session.ts";
export type { NewSessionOptions, SeenSession, Sessions } from "./client/sessions.ts";
export type { Task } from "./client/task.ts";
export type { Truba, TrubaOptions } from "./client/truba.ts";
export type { TaskHandler, Worker, WorkOptions } from "./client/worker.ts";
export type { Json, JsonArray, JsonObject } from "./base/json.ts";
export type {
  Accepted,
  Agreement,
  Conflict,
  DocumentStatus,
  HistoryPage,
  HistoryQuery,
  MemberStatus,
  PlacedTransaction,
  Rejection,
  Source,
  Stamp,
  VectorClock,
  Verdict,
  VerdictOf,
} from "./protocol/documents.ts";
export type {
  Int64,
  KindInfo,
  QueueStats,
  SessionInfo,
  SessionState,
  StoredResponse,
  TaskState,
} from "./protocol/requests.ts";
