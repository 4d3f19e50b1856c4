// SPDX-License-Identifier: Apache-2.0
// What the server suite measures, in full and in quick runs.
import type { LoadOperation } from "../drivers/load-frames.ts";

/** A closed-loop case: so many connections with so many requests in flight each. */
export interface RateCase {
  readonly operation: LoadOperation;
  readonly dataBytes: number;
  readonly connections: number;
  readonly inFlight: number;
}

/** Sizes and times of a suite. */
export interface Plan {
  /** When the closed-loop cases must be through, counted from the start. */
  readonly ratesEndMs: number;
  /** When the rest must have begun; what has not is left out with a note. */
  readonly restEndMs: number;
  readonly rounds: number;
  readonly runMaxMs: number;
  readonly warmUpMs: number;
  readonly cases: readonly RateCase[];
  readonly pacedMs: number;
  readonly sessions: number;
  readonly watchers: readonly number[];
  readonly watcherRounds: number;
  readonly znodes: number;
  /** Whether to wait for a snapshot of them. */
  readonly snapshot: boolean;
}

export const DATA_BYTES = 100;
const LARGE_DATA_BYTES = 1024;

export const READ_OPERATIONS: readonly LoadOperation[] = ["get", "exists", "children"];
export const WRITE_OPERATIONS: readonly LoadOperation[] = ["set", "ephemeralSequential", "create"];
/** Connections × requests in flight on each. */
export type Shape = readonly [connections: number, inFlight: number];
export const SINGLE_SHAPES: readonly Shape[] = [
  [1, 1],
  [8, 1],
  [64, 1],
];
export const PIPELINED_SHAPES: readonly Shape[] = [
  [1, 256],
  [1, 1000],
  [8, 125],
];

/** The case's name, such as `set 1 KiB 8×125`. */
export function rateCaseName(rateCase: RateCase): string {
  const { operation, dataBytes, connections, inFlight } = rateCase;
  const size = dataBytes === DATA_BYTES ? "" : ` ${dataBytes / 1024} KiB`;
  return `${operation}${size} ${connections}×${inFlight}`;
}

/** All cases of some operations and shapes. */
export function rateCases(
  operations: readonly LoadOperation[],
  shapes: readonly Shape[],
  dataBytes: number = DATA_BYTES,
): RateCase[] {
  return operations.flatMap((operation) =>
    shapes.map(([connections, inFlight]) => ({ operation, dataBytes, connections, inFlight })),
  );
}

/** Sets of 1 KiB. */
export const LARGE_CASES: readonly RateCase[] = rateCases(["set"], PIPELINED_SHAPES, LARGE_DATA_BYTES);

const ALL_SHAPES = [...SINGLE_SHAPES, ...PIPELINED_SHAPES];

/** The cases that leave the most behind in the servers come last. */
export const FULL: Plan = {
  ratesEndMs: 380_000,
  restEndMs: 900_000,
  rounds: 3,
  runMaxMs: 1000,
  warmUpMs: 300,
  cases: [
    ...rateCases(READ_OPERATIONS, ALL_SHAPES),
    ...rateCases(["mix", "set"], ALL_SHAPES),
    ...LARGE_CASES,
    ...rateCases(["ephemeralSequential", "create"], ALL_SHAPES),
  ],
  pacedMs: 1500,
  sessions: 2000,
  watchers: [1000, 10_000],
  watcherRounds: 5,
  znodes: 1_000_000,
  snapshot: true,
};

export const QUICK: Plan = {
  ratesEndMs: 18_000,
  restEndMs: 32_000,
  rounds: 2,
  runMaxMs: 400,
  warmUpMs: 150,
  cases: [
    ...rateCases(
      ["get"],
      [
        [1, 1],
        [64, 1],
        [1, 256],
        [8, 125],
      ],
    ),
    ...rateCases(
      ["set"],
      [
        [1, 1],
        [64, 1],
        [8, 125],
      ],
    ),
    ...rateCases(["create"], [[8, 125]]),
  ],
  pacedMs: 400,
  sessions: 300,
  watchers: [1000],
  watcherRounds: 3,
  znodes: 20_000,
  snapshot: false,
};
