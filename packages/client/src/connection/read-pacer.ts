// SPDX-License-Identifier: Apache-2.0
// Decides when a connection leaves its socket unread for a moment. Apache ZooKeeper sends every reply in a
// segment of its own. A client that reads each as it comes pays a poll, a read and, for the request that
// follows, a write: two thirds of its processor time at 256 requests in flight, and on a busy machine time
// that the server then lacks (`bench client`, rows over Apache ZooKeeper). In a pause replies gather: one
// read takes many, and the requests that follow leave in one write.
//
// A pause does no harm where the server has more to do than it can finish meanwhile. Hence the conditions:
// many requests in flight; replies that come few at a time, which those of a server that answers in large
// chunks do not; a round trip of many pauses, so that a pause is a small share of what a reply takes anyway
// and the server does not run dry; and reads alone, since a write waits for the disk, not for its turn, and
// one that comes a little later may wait for another sync. A pause that gathered nothing is followed by a
// rest.
// Nothing that is to be sent is ever held back.

/** A shallower pipeline is read at once, always. */
export const PACED_IN_FLIGHT_MIN = 128;
/** A pause in milliseconds. Node counts in whole ones, so that it lasts from half a one to one and a half. */
export const READ_PAUSE_MS = 0.5;
/** A pause is at most this share of the round trip. */
export const READ_PAUSE_SHARE = 0.125;
/** A chunk with as many replies, or as many bytes, is worth its read. */
const REPLIES_ENOUGH = 8;
const BYTES_ENOUGH = 4096;
/** So many pauses in a row; then a chunk is read without one, to see whether they are still needed. */
export const PAUSES_PER_TRIAL = 16;
/** A pause that gathered fewer replies was in vain: whoever sends waits for us, or has stopped. */
const GATHERED_MIN = 3;
/** Chunks read without a pause after one in vain; doubles with each that follows. */
const REST_CHUNKS_FIRST = 2;
const REST_CHUNKS_MAX = 1024;
/** Weight of the newest round trip in the average. */
const ROUND_TRIP_WEIGHT = 1 / 8;

/** What a chunk brought, and the pipeline behind it. */
export interface PipelineFigures {
  /** Replies to requests in the chunk; pings and events do not count. */
  readonly replies: number;
  /** How many of them answer a write. */
  readonly writes: number;
  /** Requests still in flight, the answered ones of the chunk no longer among them. */
  readonly inFlight: number;
  /** Milliseconds between the request and its reply, for the last one of the chunk. */
  readonly roundTripMs: number;
}

/** See the head of this file. One belongs to one connection; it has neither timer nor clock. */
export class ReadPacer {
  #roundTripMs = 0;
  /** Replies since the last one to a write. */
  #readsInRow = 0;
  #paused = false;
  #pausesLeft = 0;
  #restLeft = 0;
  #restNext = REST_CHUNKS_FIRST;

  /** The round trip in milliseconds, averaged over the last chunks. */
  get roundTripMs(): number {
    return this.#roundTripMs;
  }

  /**
   * Call it at the end of each chunk, which had `bytes`. Returns for how many milliseconds not to read;
   * 0 for not at all.
   */
  pauseAfter(figures: PipelineFigures, bytes: number): number {
    const { replies, writes, inFlight, roundTripMs } = figures;
    if (replies === 0) return 0;
    this.#readsInRow = writes > 0 ? 0 : this.#readsInRow + replies;
    this.#roundTripMs += (roundTripMs - this.#roundTripMs) * ROUND_TRIP_WEIGHT;
    const paused = this.#paused;
    this.#paused = false;
    if (
      inFlight + replies < PACED_IN_FLIGHT_MIN ||
      // Most of what was asked for came at once: the server has caught up and may be waiting for more.
      inFlight < replies ||
      this.#readsInRow < PACED_IN_FLIGHT_MIN ||
      READ_PAUSE_MS > this.#roundTripMs * READ_PAUSE_SHARE
    ) {
      this.#pausesLeft = 0;
      return 0;
    }
    if (paused) this.#judge(replies >= GATHERED_MIN || bytes >= BYTES_ENOUGH);
    if (this.#restLeft > 0) {
      this.#restLeft--;
      return 0;
    }
    if (this.#pausesLeft === 0) {
      if (replies >= REPLIES_ENOUGH || bytes >= BYTES_ENOUGH) return 0;
      this.#pausesLeft = PAUSES_PER_TRIAL;
    }
    this.#pausesLeft--;
    this.#paused = true;
    return READ_PAUSE_MS;
  }

  #judge(gathered: boolean): void {
    if (gathered) {
      this.#restNext = REST_CHUNKS_FIRST;
      return;
    }
    this.#pausesLeft = 0;
    this.#restLeft = this.#restNext;
    this.#restNext = Math.min(this.#restNext * 2, REST_CHUNKS_MAX);
  }
}
