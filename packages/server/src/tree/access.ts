// SPDX-License-Identifier: Apache-2.0
// Who may do what: the identities of a connection against the ACL of a znode, and which ACLs a request may
// store. How a connection comes by its identities is not decided here.
import { type Acl, Permission } from "@meerkat/wire";
import type { AclEntry } from "./acl-table.ts";
import { addressMatches, isAddressPrefix } from "./ip-address.ts";

/** One thing that a connection has proved, such as `digest` and `user:hash`, or `ip` and its address. */
export interface Identity {
  readonly scheme: string;
  readonly id: string;
}

/** The scheme of whoever may do everything. It cannot be stored in an ACL. */
export const SUPER_SCHEME = "super";

/** Schemes whose identities an ACL entry of the scheme `auth` stands for. */
const AUTHENTICATED_SCHEMES: ReadonlySet<string> = new Set(["digest", "sasl", "x509"]);

/** The part of the configuration that access depends on. */
export interface AccessPolicy {
  /** Schemes that ACLs may name beside `world` and `auth`: `digest` and `ip`, and `sasl`, `x509` where set up. */
  readonly schemes: ReadonlySet<string>;
  /** Every permission check passes (`skipACL=yes`). */
  readonly skipAcl: boolean;
}

export const defaultAccessPolicy: AccessPolicy = { schemes: new Set(["digest", "ip"]), skipAcl: false };

function matches(acl: Acl, identity: Identity): boolean {
  if (acl.scheme !== identity.scheme) return false;
  return acl.scheme === "ip" ? addressMatches(identity.id, acl.id) : acl.id === identity.id;
}

/** Whether one of the permission bits in `permissions` is granted. */
export function isAllowed(
  policy: AccessPolicy,
  entry: AclEntry,
  permissions: number,
  identities: readonly Identity[],
): boolean {
  if ((entry.worldPermissions & permissions) !== 0 || entry.open || policy.skipAcl) return true;
  for (const identity of identities) if (identity.scheme === SUPER_SCHEME) return true;
  for (const acl of entry.list ?? []) {
    if ((acl.permissions & permissions) === 0) continue;
    for (const identity of identities) if (matches(acl, identity)) return true;
  }
  return false;
}

function isValidId(scheme: string, id: string): boolean {
  switch (scheme) {
    case "digest":
      // Two parts as Java splits them: colons at the end make no part, an empty user does.
      return /^[^:]*:[^:]+:*$/.test(id);
    case "ip":
      return isAddressPrefix(id);
    case "x509":
      return /^[^=,]+=/.test(id);
    default:
      return id !== "";
  }
}

/**
 * The list that a request's ACL is stored as: duplicates dropped, `auth` replaced by the connection's
 * identities. Undefined when it is invalid: null, empty, an unknown scheme or a malformed id.
 */
export function resolveAcl(
  policy: AccessPolicy,
  requested: readonly Acl[] | null,
  identities: readonly Identity[],
): readonly Acl[] | undefined {
  if (requested === null || requested.length === 0) return undefined;
  const only = requested[0] as Acl;
  if (requested.length === 1 && only.scheme === "world") return only.id === "anyone" ? requested : undefined;
  const resolved = new Map<string, Acl>();
  const add = (acl: Acl): void => {
    resolved.set(`${acl.permissions} ${acl.scheme} ${acl.id}`, acl);
  };
  for (const acl of requested) {
    if (acl.scheme === "world") {
      if (acl.id !== "anyone") return undefined;
      add(acl);
    } else if (acl.scheme === "auth") {
      const proved = identities.filter((identity) => AUTHENTICATED_SCHEMES.has(identity.scheme));
      if (proved.length === 0) return undefined;
      for (const { scheme, id } of proved) add({ permissions: acl.permissions, scheme, id });
    } else {
      if (!policy.schemes.has(acl.scheme) || !isValidId(acl.scheme, acl.id)) return undefined;
      add(acl);
    }
  }
  return [...resolved.values()];
}

/** The list as shown to whoever may not administer the znode: digests without their hash. */
export function maskAcl(list: readonly Acl[]): readonly Acl[] {
  return list.map((acl) =>
    acl.scheme === "digest" ? { ...acl, id: `${acl.id.slice(0, acl.id.indexOf(":"))}:x` } : acl,
  );
}

/** Whether the identities hold READ or ADMIN, and whether they hold ADMIN: what getACL asks. */
export function aclAccess(
  policy: AccessPolicy,
  entry: AclEntry,
  identities: readonly Identity[],
): "none" | "masked" | "full" {
  if (isAllowed(policy, entry, Permission.ADMIN, identities)) return "full";
  return isAllowed(policy, entry, Permission.READ, identities) ? "masked" : "none";
}
