// SPDX-License-Identifier: Apache-2.0
import { CodedError, type Effect } from "@meerkat/runtime";

/**
 * What can be wrong with a data directory:
 * - `DIRECTORY_LOCKED` another server uses it.
 * - `DIRECTORY_LAYOUT` logs among snapshots or the reverse.
 * - `LOG_DAMAGED` a record in a log is neither whole nor a torn end.
 * - `LOG_MISSING` transactions between the snapshot and the first log are gone.
 * - `SNAPSHOT_MISSING` there are logs, and no snapshot that can be read.
 * - `SNAPSHOT_DAMAGED` a snapshot's bytes do not follow the format although its seal fits.
 * - `WRITE_FAILED` the log could not be written or synced; nothing is stored from then on.
 * - `CLOSED` the storage was closed before.
 */
export type StorageErrorCode =
  | "DIRECTORY_LOCKED"
  | "DIRECTORY_LAYOUT"
  | "LOG_DAMAGED"
  | "LOG_MISSING"
  | "SNAPSHOT_MISSING"
  | "SNAPSHOT_DAMAGED"
  | "WRITE_FAILED"
  | "CLOSED";

/** Where it was seen. */
export interface StorageErrorContext {
  readonly path?: string | undefined;
  /** Byte offset in the (uncompressed) file. */
  readonly offset?: number | undefined;
  readonly zxid?: number | undefined;
}

/** An error of the transaction log, a snapshot or the directory they live in. */
export class StorageError extends CodedError<StorageErrorCode, StorageErrorContext> {
  constructor(
    code: StorageErrorCode,
    message: string,
    context: StorageErrorContext,
    options: { readonly cause?: unknown; readonly effect?: Effect } = {},
  ) {
    super(message, { code, effect: options.effect ?? "none", context, cause: options.cause });
  }
}

/** Appended to messages about damage: what the operator can do. */
export const REPAIR_ADVICE: string =
  "restore the file from a backup, or cut the damage off with `meerkat repair DATA_DIR` (it keeps a copy)";
