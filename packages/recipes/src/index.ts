// SPDX-License-Identifier: Apache-2.0
// Exclusion: locks, leases, leadership.
export type { ContenderKind, ElectionLayout, LockLayout } from "./contender-name.ts";
export { Hold, type LossPolicy } from "./hold.ts";
export { type AcquireOptions, type ContenderInfo, Lock, type Lockable, type LockOptions } from "./lock.ts";
export { isRecipeError, RecipeError, type RecipeErrorCode, type RecipeErrorContext } from "./recipe-error.ts";
export type { WaitOptions } from "./wait-scope.ts";
