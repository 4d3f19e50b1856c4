// SPDX-License-Identifier: Apache-2.0
// Chance as a dependency: balancers, jitter and ids draw from a `Random`, so a run can be replayed from
// its seed.

/** Source of randomness. */
export interface Random {
  /** A uniform number in [0, 1). */
  float(): number;
  /** `length` random bytes, owned by the caller. */
  bytes(length: number): Uint8Array;
}

/** A uniform integer in [0, bound). `bound` must be a positive integer. */
export function randomInt(random: Random, bound: number): number {
  return Math.floor(random.float() * bound);
}

/** A random (version 4) UUID in lower case with dashes (RFC 9562 §5.4). */
export function randomUuid(random: Random): string {
  const bytes = random.bytes(16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/**
 * A repeatable generator (mulberry32) for tests and simulations. The same seed gives the same sequence
 * on every platform. Not for secrets.
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return {
    float: () => next() / 0x1_0000_0000,
    bytes: (length) => Uint8Array.from({ length }, () => next() & 0xff),
  };
}
