// SPDX-License-Identifier: Apache-2.0
// Drawing from a seeded generator.
import { type Random, randomInt } from "@meerkat/runtime";

/** One of the items, each as likely. */
export function pick<T>(random: Random, items: readonly T[]): T {
  return items[randomInt(random, items.length)] as T;
}

/** True with a probability. */
export function chance(random: Random, probability: number): boolean {
  return random.float() < probability;
}

/** One of the items, as often as its weight says. */
export function pickWeighted<T>(random: Random, items: readonly (readonly [weight: number, item: T])[]): T {
  let left = random.float() * items.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, item] of items) {
    left -= weight;
    if (left < 0) return item;
  }
  return (items.at(-1) as readonly [number, T])[1];
}
