// SPDX-License-Identifier: Apache-2.0
// Files as a dependency. What must survive a crash goes through a `FileStore`, so that tests can make a
// write fail, fill the disk or cut the power between any two steps. Nothing here buffers.

/** An open file. All calls reject with Node's system errors (`code` such as ENOSPC or EIO). */
export interface OpenFile {
  readonly path: string;
  /** Writes all of `bytes` at `position`. `bytes` must stay unchanged until it settles. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Fills `into` from `position`; resolves with the bytes read, fewer than asked only at the end. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Returns when the content, and the size if it changed, is on the disk (fdatasync). */
  dataSync(): Promise<void>;
  /** Cuts the file, or extends it with zeros that take no room yet. */
  truncate(length: number): Promise<void>;
  /** Length in bytes. */
  size(): Promise<number>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** How to open: an existing file to read or change, or a new one (an old one of that name is emptied). */
export type OpenMode = "read" | "modify" | "create";

/** Options of `FileStore.open`. */
export interface OpenFileOptions {
  /** Every write is on the disk when it resolves (O_DSYNC, or fdatasync after it); default false. */
  readonly durableWrites?: boolean | undefined;
}

/** What is known of a file by name. */
export interface FileInfo {
  readonly bytes: number;
  /** Time of the last change, ms since 1970. */
  readonly modifiedMs: number;
}

/** A directory tree that outlives the process. Paths are the system's own. */
export interface FileStore {
  open(path: string, mode: OpenMode, options?: OpenFileOptions): Promise<OpenFile>;
  /** Names of the files in a directory, without the directory. */
  list(directory: string): Promise<string[]>;
  info(path: string): Promise<FileInfo>;
  /** Replaces `to` when it exists. The new name is durable only after `syncDirectory`. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; a missing one is no error. */
  remove(path: string): Promise<void>;
  /** Makes a directory and those above it; existing ones are no error. */
  makeDirectory(path: string): Promise<void>;
  /** Returns when the names in the directory (created, renamed, removed) are on the disk. */
  syncDirectory(directory: string): Promise<void>;
  /**
   * Takes the lock file at `path` for this process; resolves with its release, or with undefined when a
   * living process (this one too) holds it. The lock of a dead process is taken over.
   */
  lock(path: string): Promise<(() => Promise<void>) | undefined>;
}
