/**
 * Every limit of P8, units in the names. `docs/limits.md` lists the same names and values; a test holds the two together.
 */
export const limits = {
  // Requests
  /** Largest value of a record. */
  valueMaxBytes: 1_048_576,
  /** Longest `{tag}` of a key, without the braces. */
  tagMaxBytes: 64,
  /** Longest request id. */
  requestIdMaxBytes: 64,
  /** Largest expiry of a record: 100 years. */
  expiryMaxSeconds: 3_155_760_000,
  /** Operations of one atomic group. */
  groupMaxOperations: 1_024,
  /** Largest COUNT of SCAN. */
  scanMaxCount: 10_000,

  // Queues
  /** Longest name of a queue. */
  queueNameMaxBytes: 255,
  /** Queues of one partition. */
  queuesMaxCount: 65_536,
  /** Greatest size that a queue may be given. */
  queueSizeMaxCount: 2_147_483_647,
  /** Priorities of a queue of type range. */
  priorityRangeMaxCount: 65_536,
  /** Shortest lease. */
  leaseMinMs: 100,
  /** Longest lease: twelve hours. */
  leaseMaxMs: 43_200_000,
  /** Lease of a queue unless it says otherwise. */
  leaseDefaultMs: 30_000,
  /** Deliveries of a task unless its queue says otherwise. */
  deliveriesDefaultCount: 20,
  /** Most deliveries that a queue may ask for. */
  deliveriesMaxCount: 1_000_000,
  /** Longest delay of a task or a session: ten years. */
  delayMaxMs: 315_576_000_000,
  /** Longest dedup id. */
  dedupIdMaxBytes: 128,
  /** How long a dedup id is remembered unless its queue says otherwise. */
  dedupDefaultMs: 300_000,
  /** How long a dedup id may be remembered: a week. */
  dedupMaxMs: 604_800_000,
  /** Tasks that one pop takes, tasks that one acknowledgement names, sessions that one take takes. */
  takeMaxCount: 1_024,
  /** Payloads that one pop hands out, but for its first task. */
  takeMaxBytes: 4_194_304,
  /** How long a pop or take may wait. */
  waitMaxMs: 60_000,
  /** Subscriptions of one connection. */
  connectionSubscriptionsMaxCount: 1_024,
  /** Pops, takes and subscriptions of one node that wait; over it OVERLOADED. */
  waitersMaxCount: 100_000,
  /** Tasks that one subscription may have at one time. */
  creditMaxCount: 10_000,
  /** Rows that one operation drops, revives or gives back; a request with more takes several. */
  sweepMaxRows: 1_024,
  /** Tasks, queues or sessions in one answer that lists them. */
  listMaxCount: 1_000,

  // Sessions
  /** Kinds of sessions in a configuration. */
  kindsMaxCount: 256,
  /** Longest name of a kind. */
  kindNameMaxBytes: 64,
  /** Records of one session. */
  sessionRecordsMaxCount: 4_096,
  /** Bytes of all records of a session unless its kind says otherwise. */
  sessionDefaultBytes: 1_048_576,
  /** Most bytes of all records of a session that a kind may allow. */
  sessionMaxBytes: 16_777_216,
  /** Repeats of a session unless its kind says otherwise. */
  repeatsDefaultCount: 20,
  /** Delay of a stored session unless its kind says otherwise. */
  repeatDelayDefaultMs: 5_000,
  /** Random spread of that delay unless its kind says otherwise. */
  repeatSpreadDefaultMs: 1_000,
  /** Silence after which an active session counts as hung unless its kind says otherwise. */
  silenceDefaultMs: 30_000,
  /** Shortest silence that a kind may ask for. */
  silenceMinMs: 1_000,

  // Documents
  /** Longest name of a source of documents, of UTF-8. */
  documentSourceMaxBytes: 128,
  /** Longest name of a document. */
  documentNameMaxBytes: 128,
  /** Documents of one node; over it OVERLOADED. */
  documentsMaxCount: 10_000,
  /** Largest document, as canonical text; an operation that makes it larger fails, on all nodes alike. */
  documentMaxBytes: 16_777_216,
  /** Largest patch. */
  documentPatchMaxBytes: 1_048_576,
  /** Operations of one patch. */
  documentPatchMaxOperations: 10_000,
  /** Up to this size the answer to a change has the document's hash. */
  documentHashedMaxBytes: 262_144,
  /** How deep a document may nest. */
  documentDepthMaxCount: 256,
  /** Transactions of one document for which it is remembered how to undo them; what comes before them makes the document be folded anew. */
  documentTailMaxCount: 200_000,
  /** Operations in one change that watchers are told; a longer one becomes a snapshot. */
  documentChangeMaxOperations: 1_000,
  /** After so long without use a document leaves memory. */
  documentIdleMs: 60_000,
  /** How often nodes tell each other their clocks. */
  documentHeartbeatMs: 1_000,
  /** After so long without a word from a Truba node its link is closed. */
  documentLinkSilenceMs: 10_000,
  /** Sent on one link and not yet taken; over it nothing more is sent. */
  documentLinkBufferMaxBytes: 1_048_576,
  /** Transactions in one message between Truba nodes, but for its first one. */
  documentBatchMaxBytes: 262_144,
  /** Longest message that a node reads from another one; a longer one closes the link. */
  documentMessageMaxBytes: 8_388_608,
  /** Longest message that a plain peer reads; a longer one is not sent to it. */
  documentPlainMaxBytes: 32_768,
  /** Watchers of all documents of one node; over it OVERLOADED. */
  documentWatchersMaxCount: 1_000,
  /** Links of one node. */
  documentLinksMaxCount: 256,
  /** Truba nodes that a node knows as members of its documents. */
  documentNodesMaxCount: 1_024,
  /** How far ahead of the clock it is promised in the log that no transaction is made before it. */
  documentClockReserveMs: 5_000,
  /** What a node waits before it dials a peer again, at least. */
  documentRedialMinMs: 250,
  /** What a node waits before it dials a peer again, at most. */
  documentRedialMaxMs: 30_000,
  /** Transactions in one page of a document's history. */
  documentHistoryMaxCount: 1_000,
  /** Transactions of one source that are held back for one that is missing; over it they are dropped and asked for again. */
  documentGapMaxCount: 10_000,

  // Protocol
  /** Arguments of one RESP command. */
  respArgumentsMaxCount: 8_192,
  /** All bytes of one RESP command; of what is longer the bytes are skipped and the command is refused. */
  respCommandMaxBytes: 8_388_608,
  /** Longest argument of a RESP command: a value and some slack, so that what is a little too long is refused by the command. */
  respArgumentMaxBytes: 1_114_112,
  /** Longest RESP bulk that is skipped politely; a longer one closes the connection. */
  respSkipMaxBytes: 536_870_912,
  /** Longest inline RESP command. */
  respInlineMaxBytes: 65_536,
  /** How deep the aggregates of a RESP reply may nest. */
  respReplyMaxDepth: 32,
  /** From so many bytes on a value is kept apart in an answer, as bytes. */
  respAnswerTextMaxBytes: 16_384,
  /** Longest line of the line protocol: a value and what stands before it. */
  lineMaxBytes: 1_049_600,
  /** Within so many bytes a connection's protocol is decided. */
  firstBytesMaxBytes: 1_024,

  // Connections
  /** Connections of clients at one time; over it a new one is told MAXCONNECTIONS and closed. */
  connectionsMaxCount: 12_000,
  /** Requests of one connection that wait for their answers; over it the connection is not read. */
  connectionPendingMaxCount: 16_384,
  /** Answers waiting to be taken by one client; over it the connection is not read. */
  connectionOutputPauseBytes: 1_048_576,
  /** Values in one answer, of a command that reads several records; over it the command is refused. */
  answerMaxBytes: 33_554_432,
  /** Answers waiting to be taken by one client; over it the connection is closed. */
  connectionOutputMaxBytes: 67_108_864,
  /** Requests that have begun to arrive, of all connections; over it the connection that sent last is closed. */
  requestsHeldMaxBytes: 268_435_456,
  /** How long a started request may take to arrive whole. */
  requestArrivalMaxMs: 60_000,
  /** Longest name that a connection may give itself, and longest name or version of its library. */
  clientNameMaxBytes: 256,
  /** Failed attempts of one connection to authenticate; after them it is closed. */
  authenticationFailuresMaxCount: 8,
  /** What the answer to a failed attempt waits, times the failures of its connection so far. */
  authenticationFailureDelayMs: 200,
  /** How long a connection may stay without having authenticated, where a token is wanted. */
  authenticationMaxMs: 30_000,
  /** Requests that a connection may send before it has authenticated; after them it is closed. */
  unauthenticatedMaxRequests: 64,
  /** Part of a request that a connection may hold before it has authenticated; over it the connection is closed. */
  unauthenticatedHeldMaxBytes: 16_384,
  /** How long a TLS handshake may take. */
  tlsHandshakeMaxMs: 10_000,
  /** Commands queued by MULTI. */
  multiMaxBytes: 4_194_304,

  // The client
  /** Requests of one client that have no answer yet; over it OVERLOADED. */
  clientPendingMaxCount: 65_536,
  /** Requests of one client that have not left it; over it OVERLOADED. */
  clientPendingMaxBytes: 67_108_864,
  /** Changes of a document that wait for a loop; over it they are dropped, and it is told a snapshot. */
  clientDocumentPendingMaxCount: 1_024,
  /** Bytes of these, about. */
  clientDocumentPendingMaxBytes: 16_777_216,
  /** How long a client tries a request again unless its option says otherwise. */
  clientTimeoutMs: 30_000,
  /** What a client waits before its second attempt; twice as long before each one after it. */
  clientRetryMinMs: 20,
  /** What a client waits between two attempts at most. */
  clientRetryMaxMs: 2_000,
  /** How long one attempt to reach a node may take. */
  clientConnectMaxMs: 5_000,
  /** After so long without a byte from its node a client asks it for one; after twice as long the connection counts as lost. */
  clientSilenceMs: 5_000,

  // HTTP
  /** Connections of the HTTP port at one time; over it a new one is told MAXCONNECTIONS and closed. */
  httpConnectionsMaxCount: 4_096,
  /** Request line and headers of one request. */
  httpHeadersMaxBytes: 16_384,
  /** JSON body of one request. */
  httpBodyMaxBytes: 8_388_608,
  /** How long the headers of a request may take to arrive. */
  httpHeadersArrivalMaxMs: 20_000,
  /** Requests of one connection that wait for their answers; over it the next is refused. */
  httpPipelinedMaxCount: 64,
  /** How often slow requests are looked for. */
  httpSlowCheckEveryMs: 5_000,
  /** How long a connection may stay without a request. */
  httpKeepAliveMs: 75_000,
  /** How often a stream of events sends something, so that whoever stands in between keeps it. */
  eventKeepAliveMs: 15_000,
  /** How long the client of a stream of events may take nothing; over it the stream is closed. */
  eventStallMaxMs: 60_000,
  /** Tasks or sessions that a stream of events asks for ahead of what its client has taken. */
  eventWindowCount: 32,
  /** Queues that have numbers of their own in metrics and on the page; of the others only the sums are told. */
  queuesShownMaxCount: 200,

  // Pipeline
  /** A batch is sealed when it holds this much. */
  batchMaxBytes: 1_048_576,
  /** A batch is sealed when it holds so many. */
  batchMaxOperations: 8_192,
  /** Gathered and unconfirmed bytes of one node; over it OVERLOADED. */
  pipelineMaxBytes: 67_108_864,
  /** Gathered and unconfirmed operations of one node; over it OVERLOADED. */
  pipelineMaxOperations: 262_144,
  /** What OVERLOADED tells the client to wait. */
  overloadedRetryAfterMs: 50,
  /** An apply turn yields after this. */
  applyTurnMaxMs: 5,
  /** Rows one `due` operation handles. */
  dueMaxRows: 1_024,
  /** Operations of a partition between two digests. */
  digestEveryOperations: 65_536,
  /** Log time is drawn towards the wall clock by at most this part of the time that passed. */
  logTimeSlewRatio: 1 / 16,

  // Once
  /** How long the outcome of a request id is remembered, in log time. */
  onceWindowMs: 600_000,
  /** Remembered outcomes of one node, shared evenly by its partitions. */
  onceMaxBytes: 67_108_864,
  /** How far a request id's time may be ahead of log time. */
  requestAheadMaxMs: 60_000,

  // Log
  /** Size of a log segment unless the option says otherwise. */
  walSegmentBytes: 67_108_864,
  /** Smallest log segment that the option may ask for. */
  walSegmentMinBytes: 16_777_216,
  /** Live segments of the log, the one being written included, from which on a round of checkpoints begins. */
  checkpointSegmentsCount: 3,
  /** Largest log segment that the option may ask for. */
  walSegmentMaxBytes: 1_073_741_824,
  /** What one sync may carry; a turn with more takes several. */
  walBatchMaxBytes: 8_388_608,
  /** Free disk space below which writes are refused, beside what the next segment needs. */
  diskLowWaterBytes: 268_435_456,
  /** How often free disk space is looked at. */
  diskCheckEveryMs: 1_000,
  /** A synchronous fdatasync slower than this on average moves to the thread pool. */
  walSyncSlowMs: 2,
  /** A pooled fdatasync faster than this on average comes back. */
  walSyncFastMs: 0.7,
  /** Failures of confirmation in a row before the emergency stop. */
  confirmFailuresMaxCount: 16,
  /** Time without one confirmed batch, while some wait, before the emergency stop. */
  confirmSilenceMaxMs: 60_000,

  // State
  /** Event loop time that a checkpoint or a merge takes at once. */
  backgroundSliceMs: 2,
  /** Rows and what belongs to them in one block of a run. */
  runBlockBytes: 65_536,
  /** One write of a run file. */
  runWriteBytes: 262_144,
  /** One read of a run file; a run that is read takes two such buffers. */
  runReadBytes: 524_288,
  /** A run is synced whenever so much was written, so that no sync of it is long. */
  runSyncEveryBytes: 8_388_608,
  /** Deltas of a partition before small ones are merged among themselves. */
  deltasMaxCount: 16,
  /** Runs that one merge reads at once. */
  mergeRunsMaxCount: 64,
  /** Longest manifest of a partition's runs. */
  manifestMaxBytes: 1_048_576,
  /** Disk space of a partition's runs before merging is looked at. */
  mergeMinBytes: 1_048_576,

  // Cluster
  /** Partitions of a cluster, fixed at bootstrap. */
  partitionsMaxCount: 1_024,
  /** Full copies of a partition. */
  replicationFactorMax: 7,
  /** How often the groups of a node are told that time has passed; election and heartbeat are counted in it. */
  raftTickMs: 50,
  /** Ticks without a leader after which a copy campaigns, at least; up to twice as many, at random. */
  raftElectionTicks: 10,
  /** Ticks between two heartbeats. */
  raftHeartbeatTicks: 2,
  /** Entries in one append to another copy; a larger one goes alone. */
  raftMessageMaxBytes: 1_048_576,
  /** Appends on their way to one copy and not yet answered. */
  raftInflightMaxMessages: 256,
  /** Bytes on their way to one copy and not yet answered. */
  raftInflightMaxBytes: 8_388_608,
  /** Proposed to one group and not yet committed; over it OVERLOADED. */
  raftUncommittedMaxBytes: 67_108_864,
  /** Committed entries of one group that wait to be applied. */
  raftApplyingMaxBytes: 8_388_608,
  /** Entries of one group that are kept in memory for other copies once they are durable and applied. */
  raftCacheBytes: 1_048_576,
  /** Largest batch that a group takes: what the smallest log segment can hold, so that every copy can. */
  raftEntryMaxBytes: 8_384_512,
  /** After so many ticks without leading, a write that is not decided has an unknown outcome. */
  raftUndecidedMaxTicks: 60,
  /** What NOTLEADER tells the client to wait. */
  notLeaderRetryAfterMs: 100,
  /** How long a stop may take before the process ends anyway. */
  shutdownMaxMs: 10_000,

  // Configuration
  /** Largest configuration file. */
  configurationMaxBytes: 65_536,
  /** Longest name of a cluster or of a node. */
  nameMaxBytes: 64,
  /** Longest path that an option may name. */
  pathMaxBytes: 4_096,
  /** Tokens in a configuration. */
  tokensMaxCount: 256,
  /** Largest certificate, key or list of authorities. */
  certificateMaxBytes: 1_048_576,
  /** Origins of pages that the configuration may allow. */
  originsMaxCount: 64,
  /** Longest stop that the option may allow. */
  shutdownOptionMaxSeconds: 3_600,
} as const;
