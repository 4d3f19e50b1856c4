// SPDX-License-Identifier: Apache-2.0
// Access control lists, each kept once: znodes hold its number. A list that no znode holds is forgotten.
import { type Acl, Permission } from "@meerkat/wire";

/** The number of ZooKeeper's built-in list (id -1 in snapshots): world:anyone, all permissions. */
export const BUILT_IN_ACL = 0;

/** One list. Immutable but for its count, so an event may keep it beyond the znode's life. */
export interface AclEntry {
  /** Null for the built-in list. */
  readonly list: readonly Acl[] | null;
  /** What `world:anyone` may do: the check that almost every request ends with. */
  readonly worldPermissions: number;
  /** An empty list allows everything, as in ZooKeeper. */
  readonly open: boolean;
  references: number;
}

function isWorld(acl: Acl): boolean {
  return acl.scheme === "world" && acl.id === "anyone";
}

function entryOf(list: readonly Acl[] | null): AclEntry {
  const worldPermissions =
    list === null
      ? Permission.ALL
      : list.filter(isWorld).reduce((permissions, acl) => permissions | acl.permissions, 0);
  return { list, worldPermissions, open: list !== null && list.length === 0, references: 0 };
}

function keyOf(list: readonly Acl[]): string {
  return JSON.stringify(list.map((acl) => [acl.permissions, acl.scheme, acl.id]));
}

const builtInList: readonly Acl[] = [{ permissions: Permission.ALL, scheme: "world", id: "anyone" }];

/** Gives lists numbers and counts their users. */
export class AclTable {
  readonly #entries: (AclEntry | undefined)[] = [entryOf(null)];
  readonly #numbers = new Map<string, number>();
  readonly #free: number[] = [];
  /** Numbers of the lists that are one `world:anyone` entry, by permissions: found without making a key. */
  readonly #worldNumbers = new Int32Array(Permission.ALL + 1);

  /** Number of distinct lists, the built-in one included. */
  get size(): number {
    return this.#numbers.size + 1;
  }

  entry(number: number): AclEntry {
    return this.#entries[number] as AclEntry;
  }

  /** The list itself, the built-in one spelled out. */
  list(number: number): readonly Acl[] {
    return this.entry(number).list ?? builtInList;
  }

  /** Takes a reference on the list's number, which is made if the list is new. */
  acquire(list: readonly Acl[] | null): number {
    if (list === null) return BUILT_IN_ACL;
    const only = list.length === 1 ? list[0] : undefined;
    const world =
      only !== undefined && isWorld(only) && only.permissions >= 0 && only.permissions <= Permission.ALL;
    if (world) {
      const number = this.#worldNumbers[only.permissions] as number;
      if (number !== 0) {
        this.entry(number).references++;
        return number;
      }
    }
    const key = keyOf(list);
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#free.pop() ?? this.#entries.length;
      this.#entries[number] = entryOf(list);
      this.#numbers.set(key, number);
      if (world) this.#worldNumbers[only.permissions] = number;
    }
    this.entry(number).references++;
    return number;
  }

  /** Gives a reference back. */
  release(number: number): void {
    if (number === BUILT_IN_ACL) return;
    const entry = this.entry(number);
    entry.references--;
    if (entry.references > 0) return;
    const list = entry.list as readonly Acl[];
    this.#entries[number] = undefined;
    this.#numbers.delete(keyOf(list));
    this.#free.push(number);
    const only = list[0];
    if (list.length === 1 && only !== undefined && this.#worldNumbers[only.permissions] === number) {
      this.#worldNumbers[only.permissions] = 0;
    }
  }
}
