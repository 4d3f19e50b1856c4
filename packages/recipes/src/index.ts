// SPDX-License-Identifier: Apache-2.0
// Exclusion: locks, leases, leadership.
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
export { MultiHold, MultiLock } from "./multi-lock.ts";
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
