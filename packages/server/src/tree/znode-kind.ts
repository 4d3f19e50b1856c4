// SPDX-License-Identifier: Apache-2.0
// What ZooKeeper hides in `ephemeralOwner`: beside session ids, marks of containers and TTL znodes
// (EphemeralType.java, with extended types). Clients are shown 0 for both.

const CONTAINER_OWNER = -0x8000000000000000n;
const TTL_MARK = 0xffn << 56n;
/** Longest life of a TTL znode: 40 bits of milliseconds. */
export const TTL_MAX_MS = 0xff_ffff_ffff;

/** What a znode is beside its data. */
export type ZnodeKind =
  | { readonly kind: "persistent" }
  | { readonly kind: "ephemeral"; readonly owner: bigint }
  | { readonly kind: "container" }
  | { readonly kind: "ttl"; readonly ttlMs: number };

/** Reads a stored `ephemeralOwner`. */
export function kindOfOwner(owner: bigint): ZnodeKind {
  if (owner === 0n) return { kind: "persistent" };
  if (owner === CONTAINER_OWNER) return { kind: "container" };
  const bits = BigInt.asUintN(64, owner);
  if (bits >> 56n === 0xffn) return { kind: "ttl", ttlMs: Number(bits & BigInt(TTL_MAX_MS)) };
  return { kind: "ephemeral", owner };
}

/** The stored `ephemeralOwner` of a kind, signed. */
export function ownerOfKind(kind: ZnodeKind): bigint {
  switch (kind.kind) {
    case "persistent":
      return 0n;
    case "container":
      return CONTAINER_OWNER;
    case "ttl":
      return BigInt.asIntN(64, TTL_MARK | BigInt(kind.ttlMs));
    case "ephemeral":
      return kind.owner;
  }
}
