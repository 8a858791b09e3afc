/** The public names, nothing else. */
export type { JsonBytes } from "./bytes.js";
export { WriteBehindError, errorCodes, type ErrorCode, type PlainError } from "./errors.js";
export type { BatchReport, EventName, Events, Listener } from "./events.js";
export type { HashHandle } from "./library/hash-handle.js";
export type {
  CloseReport,
  DeadLetter,
  DeadLetterIds,
  DeadLetterOutcome,
  DeadLetterPage,
  DeadLetterReport,
  FlushReport,
  Inspection,
  JsonChange,
  JsonRecordChange,
  JsonValue,
  QueuePage,
  Status,
  StepReport,
  WaitOptions,
} from "./heart.js";
export type { JsonHandle } from "./library/json-handle.js";
export type { DeadLettersOptions, WriteBehind } from "./library/library.js";
export { collection, type Collection, type NewRow, type RowKey, type StandardSchema } from "./library/collection.js";
export type { CollectionHandle, TransactionCollection } from "./library/collection-handle.js";
export type { Receipt, SetOptions } from "./library/receipt.js";
export { writeBehind, type WriteBehindOptions } from "./library/open.js";
export type { Logger } from "./log/logger.js";
export type { OnDelete, Route } from "./routes/route.js";
export { sqlite } from "./store/sqlite/index.js";
export { memoryStore } from "./store/memory/memory-store.js";
export type { Transaction } from "./library/transaction.js";
export type { Key, Value } from "./library/values.js";

// For a store of your own; write-behind/contract has the suite that it must pass.
export { bufferOfBytes, bytesOfBuffer, bytesOfText, textOfBytes, type Bytes } from "./bytes.js";
export type { Change, Content, Fields, Merge, RecordValue, Remove, Replace } from "./change.js";
export type { Position } from "./queue/queue.js";
export { StoreError } from "./store/store.js";
export type {
  Batch,
  Behind,
  Letter,
  Page,
  ParkedGroup,
  Parking,
  Store,
  StoreClaim,
  StoreDescriptor,
  StoreErrorKind,
  StoreLimits,
  StoreModule,
  StoreOpened,
  StoreReader,
} from "./store/store.js";
