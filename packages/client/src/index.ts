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
export {
  type CreateOptions,
  type VersionedCallOptions,
  type WatchableCallOptions,
  ZooKeeperClient,
} from "./client.ts";
export {
  isZooKeeperError,
  ZooKeeperError,
  type ZooKeeperErrorCode,
  type ZooKeeperErrorContext,
} from "./errors.ts";
export type { AclResult } from "./operations/acl.ts";
export type { Data } from "./operations/arguments.ts";
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
export { clientDefaults, type ZooKeeperClientOptions } from "./options.ts";
export type { AuthInfo } from "./session/auth-list.ts";
export type { CallOptions, WatchEvent, WatchListener } from "./session/request.ts";
export type { SessionCredentials } from "./session/session.ts";
export type { SessionHandle } from "./session/session-handle.ts";
export type { ClientState } from "./session/state.ts";
export type { Transaction } from "./transaction.ts";
export type { PersistentWatch } from "./watches/persistent-watch.ts";
