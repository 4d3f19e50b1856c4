// SPDX-License-Identifier: Apache-2.0
// Exclusion: locks, leases, leadership.

// Coordination by data: barriers, numbers, queues, membership, caches.
export { Barrier, type BarrierOptions } from "./barriers/barrier.ts";
export { DoubleBarrier, type DoubleBarrierOptions } from "./barriers/double-barrier.ts";
export type { CacheChange, CachedNode, NodeChange } from "./caches/cache-change.ts";
export { ChildrenCache, NodeCache, TreeCache, type TreeCacheOptions } from "./caches/caches.ts";
export { type CacheOptions, type CacheSnapshot, ZnodeCache } from "./caches/znode-cache.ts";
export type { ContenderKind, ElectionLayout, LockLayout } from "./contender-name.ts";
export { Hold, type LossPolicy } from "./hold.ts";
export {
  type ElectionOptions,
  LeaderElection,
  Leadership,
  type Reelection,
  type RunWhileLeadingOptions,
} from "./leader-election.ts";
export { type LatchOptions, LeaderLatch } from "./leader-latch.ts";
export { type AcquireOptions, type ContenderInfo, Lock, type Lockable, type LockOptions } from "./lock.ts";
export { Party, type PartyLayout, type PartyMember, type PartyOptions } from "./membership/party.ts";
export {
  PersistentNode,
  type PersistentNodeOptions,
  type PersistentNodeState,
} from "./membership/persistent-node.ts";
export {
  type Allocation,
  type PartitionFunction,
  SetPartitioner,
  type SetPartitionerOptions,
} from "./membership/set-partitioner.ts";
export { MultiHold, MultiLock } from "./multi-lock.ts";
export {
  AtomicInteger,
  AtomicLong,
  type AtomicNumberOptions,
  Counter,
} from "./numbers/atomic-numbers.ts";
export {
  type AtomicChange,
  type AtomicReading,
  AtomicValue,
  type AtomicValueOptions,
  type PromotionLock,
} from "./numbers/atomic-value.ts";
export { BaseQueue, type QueueOptions } from "./queues/base-queue.ts";
export { type DelayPutOptions, DelayQueue } from "./queues/delay-queue.ts";
export { type PriorityPutOptions, PriorityQueue } from "./queues/priority-queue.ts";
export { Queue } from "./queues/queue.ts";
export { QueueItem } from "./queues/queue-item.ts";
export {
  type CuratorQueueOptions,
  curatorQueue,
  kazooLockingQueue,
  kazooQueue,
  type Placing,
  type QueueLayout,
  type QueueRank,
} from "./queues/queue-layout.ts";
export { ReadWriteLock, WriteHold, WriteLock } from "./read-write-lock.ts";
export { isRecipeError, RecipeError, type RecipeErrorCode, type RecipeErrorContext } from "./recipe-error.ts";
export { RevocableHold, RevocableLock, requestRevocation } from "./revocable-lock.ts";
export {
  type LeaseInfo,
  type PermitSource,
  Semaphore,
  type SemaphoreAcquireOptions,
  type SemaphoreOptions,
} from "./semaphore.ts";
export type { WaitOptions } from "./wait-scope.ts";
