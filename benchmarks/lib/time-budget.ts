// SPDX-License-Identifier: Apache-2.0

/**
 * Time that the runs of a suite may take, counted from the start of its process. Each run gets an equal
 * share of what is left, so that a slow installation of a peer or a busy machine shortens the runs instead
 * of the list. What runs cost beside their own time (warming up, connecting) is learned on the way.
 */
export class TimeBudget {
  readonly #endMs: number;
  readonly #startMs: number = performance.now();
  #measuredMs = 0;
  #runs = 0;

  /** `endMs` is the age that the process may have when the last run ends. */
  constructor(endMs: number) {
    this.#endMs = endMs;
  }

  /** Length of the next of `runs` runs; `guessMs` is what a run costs beside it, until that is known. */
  runMs(options: {
    readonly runs: number;
    readonly guessMs: number;
    readonly minMs: number;
    readonly maxMs: number;
  }): number {
    const nowMs = performance.now();
    const besideMs =
      this.#runs === 0 ? options.guessMs : (nowMs - this.#startMs - this.#measuredMs) / this.#runs;
    const shareMs = (this.#endMs - nowMs) / Math.max(1, options.runs) - besideMs;
    return Math.round(Math.min(Math.max(shareMs, options.minMs), options.maxMs));
  }

  /** Whether nothing is left. */
  get usedUp(): boolean {
    return performance.now() >= this.#endMs;
  }

  /** Tells that a run took `elapsedMs` of measured time. */
  ran(elapsedMs: number): void {
    this.#measuredMs += elapsedMs;
    this.#runs++;
  }
}
