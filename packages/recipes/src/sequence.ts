// SPDX-License-Identifier: Apache-2.0
// The numbers that ZooKeeper appends to the names of sequential children, and the order they stand for.

/** `%010d` of an int32: ten digits, or a minus sign with nine or ten. */
const SUFFIX = /(\d{10}|-\d{9,10})$/;

/**
 * The sequence number that is all of what follows the last `prefix` in a name, or undefined. The prefix is
 * needed: without it `lock-2147483640` could be 2147483640 as well as its negative.
 */
export function sequenceAfter(name: string, prefix: string): number | undefined {
  const at = name.lastIndexOf(prefix);
  if (at < 0) return undefined;
  const rest = name.slice(at + prefix.length);
  const match = SUFFIX.exec(rest);
  return match !== null && match.index === 0 ? Number(rest) : undefined;
}

/**
 * The sequence number at the end of a name whose text before it ends in `-`, or undefined: in
 * `entry-100-0000000042` the last `-` separates, in `entry-100--000000042` it is a sign.
 */
export function sequenceOf(name: string): number | undefined {
  const match = /-(\d{10}|-\d{9,10})$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

/**
 * Orders sequence numbers of one parent: negative when `a` was given before `b`. The server counts in 32
 * bits and goes on below zero after 2,147,483,647, so the order is by the sign of the wrapped difference:
 * right as long as the two are less than 2,147,483,648 creations apart.
 */
export function compareSequences(a: number, b: number): number {
  return (a - b) | 0;
}

/** As the server writes it behind a name. */
export function formatSequence(sequence: number): string {
  return sequence < 0 ? `-${String(-sequence).padStart(9, "0")}` : String(sequence).padStart(10, "0");
}
