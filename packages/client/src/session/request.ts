// SPDX-License-Identifier: Apache-2.0
// One request of the caller and the descriptor of its operation.
import type { Acl, JuteReader, JuteWriter } from "@meerkat/wire";
import type { Chroot } from "../chroot.ts";

/** Limits of one call. */
export interface CallOptions {
  /** Aborting rejects the call with `ABORTED`; a request already sent may still be executed. */
  readonly signal?: AbortSignal | undefined;
  /** Limit in milliseconds, waiting for a connection included; 0 for none. */
  readonly timeoutMs?: number | undefined;
}

/** A change that a watch saw. */
export interface WatchEvent {
  /**
   * What happened to `path`. `resync`: the watch is armed again after a gap (or more happened than was
   * read) and events may be missing: read the present state.
   */
  readonly type: "created" | "deleted" | "dataChanged" | "childrenChanged" | "resync";
  /** The caller's path (without the chroot). */
  readonly path: string;
}

/** Callback of a watch. What it throws is logged and goes no further. */
export type WatchListener = (event: WatchEvent) => void;

/** Which table a read's watch goes to: `exists` goes to data or exist, as the reply says. */
export type WatchKind = "data" | "child" | "exists";

/** How one operation travels. One constant per operation. */
export interface Operation<T> {
  /** An `OpCode`. */
  readonly code: number;
  /** The client's name, for messages. */
  readonly name: string;
  /** Sent again after a lost connection: it changes nothing, or twice is as good as once. */
  readonly replayable: boolean;
  /** Table of the watch that the request may leave. */
  readonly watchKind?: WatchKind | undefined;
  /** Writes the body. `watch` is whether the server must leave a watch. */
  write(writer: JuteWriter, request: Request, watch: boolean): void;
  /**
   * Reads the body of a successful reply. Bytes are copied out of the frame. A `ZooKeeperError` thrown here
   * is the request's result (a failed transaction looks successful in the header).
   */
  read(reader: JuteReader, request: Request, chroot: Chroot): T;
  /** The result that an error code stands for, or undefined when it is an error. */
  fromError?(err: number): T | undefined;
  /** Called in the step that processes the reply, before the promise settles. */
  onReply?(request: Request, err: number): void;
}

/**
 * A request from submission to settlement. One shape for all operations keeps the hot path monomorphic;
 * the fields that an operation does not use stay empty.
 */
export class Request<T = unknown> {
  readonly operation: Operation<T>;
  /** The server's path (with the chroot). */
  readonly path: string;
  /** Data, where the operation has some. Not copied: the caller must leave it alone until settlement. */
  readonly data: Uint8Array | null;
  /** Version, mode or flags, by operation. */
  readonly number: number;
  /** ACL, where the operation has one. */
  readonly acl: readonly Acl[] | null;
  /** Whatever else an operation needs. */
  readonly detail: unknown;
  /** One-shot watch to leave. */
  readonly watch: WatchListener | undefined;

  /** 0 until written to the current connection. */
  xid = 0;
  /** How often it was put back after a lost connection. */
  replays = 0;
  /** Resolved, rejected, timed out or aborted. A settled request in flight still awaits its reply. */
  settled = false;
  /** Session-clock time of the write. */
  sentTick = 0;
  /** Session-clock time of the time limit. */
  deadlineTick = 0;
  /** The time limit as given, for the message. */
  timeoutMs = 0;
  resolve: ((value: unknown) => void) | undefined = undefined;
  reject: ((error: Error) => void) | undefined = undefined;
  signal: AbortSignal | undefined = undefined;

  constructor(
    operation: Operation<T>,
    path: string,
    data: Uint8Array | null = null,
    number = 0,
    acl: readonly Acl[] | null = null,
    watch: WatchListener | undefined = undefined,
    detail: unknown = undefined,
  ) {
    this.operation = operation;
    this.path = path;
    this.data = data;
    this.number = number;
    this.acl = acl;
    this.watch = watch;
    this.detail = detail;
  }
}
