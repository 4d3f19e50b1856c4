// SPDX-License-Identifier: Apache-2.0
export {
  type Acl,
  type ClientInfo,
  CREATOR_ALL_ACL,
  digestId,
  joinPath,
  nodeName,
  OPEN_ACL,
  Permission,
  parentPath,
  READ_ONLY_ACL,
  Stat,
  type StatFields,
} from "@meerkat/wire";
export { ZooKeeperClient } from "./client.ts";
export { bytes, type Codec, json, utf8 } from "./codec.ts";
export { type FourLetterWordOptions, fourLetterWord } from "./connection/four-letter-word.ts";
export type {
  ConnectMessage,
  RequestMessage,
  SessionMessage,
  StateMessage,
  WatchMessage,
} from "./diagnostics.ts";
export {
  isZooKeeperError,
  ZooKeeperError,
  type ZooKeeperErrorCode,
  type ZooKeeperErrorContext,
} from "./errors.ts";
export type { AclResult } from "./operations/acl.ts";
export type { Data } from "./operations/arguments.ts";
export type {
  CreateOptions,
  SetOptions,
  VersionedCallOptions,
  WatchableCallOptions,
} from "./operations/call-options.ts";
export type { ChildrenResult } from "./operations/children.ts";
export type { CreateMode, CreateResult } from "./operations/create.ts";
export type { GetResult } from "./operations/get.ts";
export type {
  TransactionCreateResult,
  TransactionOperation,
  TransactionResult,
  TransactionResults,
  TransactionSetResult,
} from "./operations/multi.ts";
export type { ReadOperation, ReadResult, ReadResults } from "./operations/multi-read.ts";
export type { ReconfigChange } from "./operations/reconfig.ts";
export { clientDefaults, type ZooKeeperClientOptions } from "./options.ts";
export { isRetryable, type RetryOptions } from "./retry.ts";
export { type DigestMd5Options, digestMd5 } from "./sasl/digest-md5.ts";
export type { AuthInfo } from "./session/auth-list.ts";
export type { CallOptions, WatchEvent, WatchListener } from "./session/request.ts";
export type { SaslExchange, SaslMechanism } from "./session/sasl.ts";
export type { SessionHandle } from "./session/session-handle.ts";
export type { SessionCredentials } from "./session/session-identity.ts";
export type { ClientState } from "./session/state.ts";
export type { Transaction } from "./transaction.ts";
export type { PersistentWatch } from "./watches/persistent-watch.ts";
export type { WatchedKind } from "./watches/watcher.ts";
export type { Znode, ZnodeValue } from "./znode.ts";
export type { ZnodeOperations } from "./znode-operations.ts";
