// SPDX-License-Identifier: Apache-2.0
// The bundle of outside things that constructors take as one `runtime` option.
import type { Clock } from "./clock.ts";
import { type Logger, silentLogger } from "./logger.ts";
import type { Net } from "./net.ts";
import type { Random } from "./random.ts";
import { systemClock } from "./system/clock.ts";
import { systemNet } from "./system/net.ts";
import { systemRandom } from "./system/random.ts";

/** Everything non-deterministic that Meerkat's libraries use. */
export interface Runtime {
  readonly clock: Clock;
  readonly random: Random;
  readonly net: Net;
  readonly logger: Logger;
}

/** The real world, without logging. */
export const systemRuntime: Runtime = {
  clock: systemClock,
  random: systemRandom,
  net: systemNet,
  logger: silentLogger,
};

/** The system runtime with some parts replaced. */
export function resolveRuntime(parts: Partial<Runtime> | undefined): Runtime {
  return { ...systemRuntime, ...parts };
}
