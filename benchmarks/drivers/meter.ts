// SPDX-License-Identifier: Apache-2.0
// Counts and times the operations of one closed-loop run inside the measured process. Its own cost per
// operation is an addition and, for the sampled ones, two readings of the clock.
import { createHistogram, performance } from "node:perf_hooks";

/** One run: how many operations stay in flight, and when no new one is started. */
export interface RunShape {
  readonly inFlight: number;
  readonly durationMs: number;
  readonly opsMax: number;
}

/** What a run measured. Operations count only when they were acknowledged. */
export interface RunResult {
  readonly ops: number;
  readonly elapsedMs: number;
  /** User and system time of the process, all threads. */
  readonly cpuUs: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

/** With several in flight every 16th operation is timed. */
const SAMPLE_MASK = 15;
/** The end of the run is looked for at every 32nd start. */
const CLOCK_MASK = 31;

/** Meter of one run. */
export class Meter {
  readonly #shape: RunShape;
  readonly #sampleMask: number;
  readonly #histogram = createHistogram();
  readonly #cpu: NodeJS.CpuUsage;
  readonly #startMs: number;
  #started = 0;
  #done = 0;
  #open = true;

  constructor(shape: RunShape) {
    this.#shape = shape;
    this.#sampleMask = shape.inFlight === 1 ? 0 : SAMPLE_MASK;
    this.#cpu = process.cpuUsage();
    this.#startMs = performance.now();
  }

  /** Number of the next operation, or -1 when no more are to be started. */
  next(): number {
    if (!this.#open) return -1;
    const index = this.#started;
    if (index >= this.#shape.opsMax || ((index & CLOCK_MASK) === 0 && this.#timeIsUp())) {
      this.#open = false;
      return -1;
    }
    this.#started = index + 1;
    return index;
  }

  /** Start time of an operation that is sampled, 0 for the others. Goes to `end`. */
  begin(index: number): number {
    return (index & this.#sampleMask) === 0 ? performance.now() : 0;
  }

  /** An operation was acknowledged. */
  end(beginMs: number): void {
    this.#done++;
    if (beginMs !== 0) {
      this.#histogram.record(Math.max(1, Math.round((performance.now() - beginMs) * 1e6)));
    }
  }

  /** Time since the run began. */
  get elapsedMs(): number {
    return performance.now() - this.#startMs;
  }

  /** True when every operation that was started is done and no more will be. */
  get finished(): boolean {
    return !this.#open && this.#done === this.#started;
  }

  result(): RunResult {
    const elapsedMs = performance.now() - this.#startMs;
    const cpu = process.cpuUsage(this.#cpu);
    return {
      ops: this.#done,
      elapsedMs,
      cpuUs: cpu.user + cpu.system,
      p50Us: this.#histogram.percentile(50) / 1000,
      p99Us: this.#histogram.percentile(99) / 1000,
      maxUs: this.#histogram.max / 1000,
    };
  }

  #timeIsUp(): boolean {
    return performance.now() - this.#startMs >= this.#shape.durationMs;
  }
}

/** Keeps `inFlight` promises going: as many loops, each of which awaits its operation. */
export async function runPromises(
  shape: RunShape,
  operation: (index: number) => Promise<unknown>,
): Promise<RunResult> {
  const meter = new Meter(shape);
  const loop = async (): Promise<void> => {
    for (let index = meter.next(); index >= 0; index = meter.next()) {
      const beginMs = meter.begin(index);
      await operation(index);
      meter.end(beginMs);
    }
  };
  await Promise.all(Array.from({ length: shape.inFlight }, loop));
  return meter.result();
}

/** The same for libraries with callbacks: each callback starts the next operation. */
export function runCallbacks(
  shape: RunShape,
  operation: (index: number, done: (error?: unknown) => void) => void,
): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const meter = new Meter(shape);
    const start = (): void => {
      const index = meter.next();
      if (index < 0) {
        if (meter.finished) resolve(meter.result());
        return;
      }
      const beginMs = meter.begin(index);
      operation(index, (error) => {
        if (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
          return;
        }
        meter.end(beginMs);
        start();
      });
    };
    for (let count = 0; count < shape.inFlight; count++) start();
  });
}
