// SPDX-License-Identifier: Apache-2.0
// ACLs as text, the way ZooKeeper's own tools write them: `scheme:id:perms`, joined by commas.
import { type Acl, CREATOR_ALL_ACL, OPEN_ACL, Permission, READ_ONLY_ACL } from "@meerkat/client";
import { UsageError } from "./usage-error.ts";

const LETTERS: readonly (readonly [string, number])[] = [
  ["c", Permission.CREATE],
  ["d", Permission.DELETE],
  ["r", Permission.READ],
  ["w", Permission.WRITE],
  ["a", Permission.ADMIN],
];

const NAMED: Readonly<Record<string, readonly Acl[]>> = {
  open: OPEN_ACL,
  "read-only": READ_ONLY_ACL,
  creator: CREATOR_ALL_ACL,
};

/**
 * Reads `open`, `read-only`, `creator` or a list such as `world:anyone:r,digest:user:hash:cdrwa`. The id
 * may hold colons; the permissions are what follows the last one.
 */
export function parseAcl(text: string): readonly Acl[] {
  return NAMED[text] ?? text.split(",").map(parseEntry);
}

function parseEntry(text: string): Acl {
  const first = text.indexOf(":");
  const last = text.lastIndexOf(":");
  const letters = text.slice(last + 1);
  if (first <= 0 || last === first || letters === "") {
    throw new UsageError(
      `"${text}" is no ACL: it must look like world:anyone:cdrwa, or be open, read-only or creator`,
    );
  }
  let permissions = 0;
  for (const letter of letters) {
    const bit = LETTERS.find(([name]) => name === letter)?.[1];
    if (bit === undefined) {
      throw new UsageError(`"${letter}" in "${text}" is no permission: they are c, d, r, w and a`);
    }
    permissions |= bit;
  }
  return { scheme: text.slice(0, first), id: text.slice(first + 1, last), permissions };
}

/** The letters of a permission mask in ZooKeeper's order (`cdrwa`). */
export function permissionLetters(permissions: number): string {
  return LETTERS.filter(([, bit]) => (permissions & bit) !== 0)
    .map(([letter]) => letter)
    .join("");
}

/** One entry as `scheme:id:perms`; `parseAcl` reads it back. */
export function formatAcl(acl: Acl): string {
  return `${acl.scheme}:${acl.id}:${permissionLetters(acl.permissions)}`;
}
