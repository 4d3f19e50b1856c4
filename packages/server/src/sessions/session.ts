// SPDX-License-Identifier: Apache-2.0

/** What a session needs of the connection that it is on. */
export interface SessionConnection {
  /** Sends what is queued, then closes: the session moved, ended or expired. */
  closeSoon(reason: string): void;
}

/** One session. It outlives connections; it ends by closeSession or by silence. */
export interface Session {
  readonly id: bigint;
  /** As negotiated when it was made: what the log and snapshots hold. */
  readonly createdTimeoutMs: number;
  /** As negotiated by its present or last connection. */
  timeoutMs: number;
  /** When its client was last heard, on the monotonic clock. */
  heardMs: number;
  /** Which expiry bucket it is in. */
  bucket: number;
  /** `closing`: its closeSession was logged. Requests that come later are refused. */
  state: "open" | "closing";
  connection: SessionConnection | undefined;
}
