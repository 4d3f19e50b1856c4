// SPDX-License-Identifier: Apache-2.0
// Every bound on what a client may make the server hold.

import type { ConnectThrottleOptions } from "./connect-throttle.ts";

/** Limits of one server. */
export interface Limits {
  /** Longest request frame (`jute.maxbuffer`); longer ones close the connection. Default 1,048,575. */
  readonly frameBytesMax: number;
  /** Connections in all (`maxCnxns`); 0 for no limit. Default 0. */
  readonly connectionsMax: number;
  /** Connections from one address (`maxClientCnxns`); 0 for no limit. Default 10,000; 60 with a zoo.cfg. */
  readonly connectionsPerAddressMax: number;
  /** How long a connection may be without a session, ms. Default 10,000. */
  readonly sessionlessMs: number;
  /**
   * Replies that wait for the disk, all connections together, above which those that have some are not read
   * (`globalOutstandingLimit`). Default 1,000.
   */
  readonly outstandingMax: number;
  /** Frames above this many bytes count as large (`largeRequestThreshold`); 0 turns the rule off. Default 0. */
  readonly largeRequestBytes: number;
  /**
   * Bytes of large requests that may be in process at once; a connection that would pass this is dropped
   * (`largeRequestMaxBytes`). Default 100 MiB.
   */
  readonly largeRequestsBytesMax: number;
  /** Bounds the rate of handshakes (`connection_throttle_*`). Default undefined: no bound. */
  readonly connectThrottle: ConnectThrottleOptions | undefined;
  /** Unsent output above which a connection is not read until it drains, bytes. Default 1 MiB. */
  readonly outputPauseBytes: number;
  /** Unsent output above which a connection that does not read its events is dropped, bytes. Default 64 MiB. */
  readonly outputBytesMax: number;
}

export const defaultLimits: Limits = {
  frameBytesMax: 0xfffff,
  connectionsMax: 0,
  connectionsPerAddressMax: 10_000,
  sessionlessMs: 10_000,
  outstandingMax: 1000,
  largeRequestBytes: 0,
  largeRequestsBytesMax: 100 * 1024 * 1024,
  connectThrottle: undefined,
  outputPauseBytes: 1024 * 1024,
  outputBytesMax: 64 * 1024 * 1024,
};
