// SPDX-License-Identifier: Apache-2.0
// The password of a session, computed from its id exactly as Java's server does (SessionTrackerImpl and
// java.util.Random), so that clients can go on with their sessions after a move to or from Apache ZooKeeper.
// It guards against mistakes, not attackers: whoever knows an id can compute it.

const SECRET = 0xb3415c00n;
const MULTIPLIER = 0x5deece66dn;
const MASK = (1n << 48n) - 1n;

/** The 16 bytes of `new Random(id ^ 0xB3415C00).nextBytes`. */
export function sessionPassword(id: bigint): Buffer {
  const password = Buffer.allocUnsafe(16);
  let state = (id ^ SECRET ^ MULTIPLIER) & MASK;
  for (let offset = 0; offset < 16; offset += 4) {
    state = (state * MULTIPLIER + 0xbn) & MASK;
    password.writeUInt32LE(Number(state >> 16n), offset);
  }
  return password;
}

/** Whether `password` is that of the session. Null is an empty one. */
export function isSessionPassword(id: bigint, password: Uint8Array | null): boolean {
  return password !== null && sessionPassword(id).equals(password);
}
