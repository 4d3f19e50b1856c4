// SPDX-License-Identifier: Apache-2.0

/** Tells whether something has been quiet for a while, for closing it without losing what is on its way. */
export class QuietWatch {
  #lastActiveMs: number;
  #quietSeen = false;

  constructor(nowMs: number) {
    this.#lastActiveMs = nowMs;
  }

  /** Something happened. */
  touch(nowMs: number): void {
    this.#lastActiveMs = nowMs;
  }

  /**
   * Whether nothing happened for `forMs`, both now and when last asked. Once is not enough: after a stall of
   * the process, bytes or connections may lie untouched in the kernel; they are only taken once the timers
   * are through. So ask from timers, and in different turns of the event loop.
   */
  isQuiet(nowMs: number, forMs: number): boolean {
    const quietSeen = this.#quietSeen;
    this.#quietSeen = nowMs - this.#lastActiveMs >= forMs;
    return this.#quietSeen && quietSeen;
  }
}
