// SPDX-License-Identifier: Apache-2.0
// What the server counts about itself. Plain numbers: they are raised on hot paths.

import { Summary } from "../summary.ts";

const OPERATIONS_MAX = 128;

/** Counters since the start or the last `srst`. */
export class ServerCounters {
  received = 0;
  replies = 0;
  eventsSent = 0;
  bytesReceived = 0;
  bytesSent = 0;
  connectionsAccepted = 0;
  connectionsRejected = 0;
  connectionsDropped = 0;
  expiredSessions = 0;
  sessionlessExpired = 0;
  authFailed = 0;
  largeRequestsRejected = 0;
  /** Replies, and how long their requests took, ms: those that need not wait for the disk took none. */
  latencyCount = 0;
  latencySumMs = 0;
  latencyMinMs = 0;
  latencyMaxMs = 0;
  /** Requests by operation code; index 0 counts all codes outside 1…127, whatever clients send. */
  readonly operations: Float64Array = new Float64Array(OPERATIONS_MAX);
  /** Watches that each change fired, by type of event. */
  readonly firedWatches: ReadonlyMap<number, Summary> = new Map(
    [1, 2, 3, 4].map((type) => [type, new Summary()]),
  );

  /** Notes a request. */
  request(type: number): void {
    this.received++;
    const index = type > 0 && type < OPERATIONS_MAX ? type : 0;
    this.operations[index] = (this.operations[index] as number) + 1;
  }

  /** Notes that `count` requests took `ms` each, from the arrival of their bytes to the sending of replies. */
  latency(ms: number, count: number): void {
    if (this.latencyCount === 0 || ms < this.latencyMinMs) this.latencyMinMs = ms;
    if (ms > this.latencyMaxMs) this.latencyMaxMs = ms;
    this.latencyCount += count;
    this.latencySumMs += ms * count;
  }

  /** Packets sent: replies and events. */
  get sent(): number {
    return this.replies + this.eventsSent;
  }

  get latencyAverageMs(): number {
    return this.latencyCount === 0 ? 0 : this.latencySumMs / this.latencyCount;
  }

  /** Starts the packet and latency counts anew (`srst`). */
  reset(): void {
    this.received = 0;
    this.replies = 0;
    this.eventsSent = 0;
    this.latencyCount = 0;
    this.latencySumMs = 0;
    this.latencyMinMs = 0;
    this.latencyMaxMs = 0;
  }
}
