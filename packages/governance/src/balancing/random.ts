// SPDX-License-Identifier: Apache-2.0
import type { Random } from "@meerkat/runtime";
import { type Balancer, drawUntried } from "./balancer.ts";

/** Picks at random, in proportion to weight: the seed's choice, and uniform when no weights are set. */
export function randomBalancer(random: Random): Balancer {
  return {
    name: "random",
    picker: (pool) => ({ pick: (request) => drawUntried(pool, random, request.tried) }),
  };
}
