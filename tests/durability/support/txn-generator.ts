// SPDX-License-Identifier: Apache-2.0
// Random but valid histories: every kind of transaction, as a server would log it.
import { type Random, randomInt } from "@meerkat/runtime";
import { type Acl, OpCode, READ_ONLY_ACL, type Txn, type TxnHeader } from "@meerkat/wire";
import { ModelTree } from "./model-tree.ts";

/** A logged transaction. */
export interface Logged {
  readonly header: TxnHeader;
  readonly txn: Txn;
}

const ACLS: readonly (readonly Acl[])[] = [
  [{ permissions: 31, scheme: "world", id: "anyone" }],
  READ_ONLY_ACL,
  [
    { permissions: 31, scheme: "digest", id: "ann:x1nq8J5GOJVPY6zgzhtTtA9izLc=" },
    { permissions: 1, scheme: "ip", id: "127.0.0.1" },
  ],
];

/** Makes transactions that fit `tree`, and applies them to it. */
export class TxnGenerator {
  readonly tree: ModelTree;
  readonly #random: Random;
  readonly #timeoutMinMs: number;
  #zxid: number;
  #session = 0x0100_0000_0000_0001n;

  /** `start` is the state of a fresh directory (or a later one). */
  constructor(random: Random, start: ModelTree, zxid: number, timeoutMinMs = 4000) {
    this.#random = random;
    this.tree = start;
    this.#zxid = zxid;
    this.#timeoutMinMs = timeoutMinMs;
  }

  /** The next transaction. */
  next(): Logged {
    const zxid = ++this.#zxid;
    const clientId = this.#pickSession();
    const time = 1_700_000_000_000 + zxid * 7;
    const txn = this.#txn(clientId);
    const header: TxnHeader = {
      clientId: clientId ?? this.#session,
      cxid: zxid & 0xff,
      zxid,
      timeMs: time,
      type: txn.type,
    };
    this.tree.applyTxn(header, txn);
    return { header, txn };
  }

  #txn(clientId: bigint | undefined): Txn {
    const kind = randomInt(this.#random, 24);
    if (clientId === undefined || kind === 0) return this.#openSession();
    if (kind === 1) return this.#closeSession(clientId);
    if (kind <= 3) return this.#multi(clientId);
    if (kind === 4) return { type: OpCode.error, err: -101 };
    return this.#single(clientId, kind);
  }

  #openSession(): Txn {
    this.#session++;
    return { type: OpCode.createSession, timeoutMs: this.#timeoutMinMs + randomInt(this.#random, 9000) };
  }

  #closeSession(clientId: bigint): Txn {
    const paths = [...this.tree.znodes.values()]
      .filter((znode) => znode.ephemeralOwner === clientId)
      .map((znode) => znode.path);
    // Some servers write no list.
    return { type: OpCode.closeSession, paths: randomInt(this.#random, 2) === 0 ? [] : paths };
  }

  #multi(clientId: bigint): Txn {
    // Applied to a copy as they are made, since each is only valid after those before it.
    const trial = new TxnGenerator(this.#random, copyOf(this.tree), this.#zxid - 1);
    const txns: Txn[] = [];
    const header = {
      clientId,
      cxid: 0,
      zxid: this.#zxid,
      timeMs: 1_700_000_000_000 + this.#zxid * 7,
      type: 0,
    };
    for (let count = 1 + randomInt(this.#random, 4); count > 0; count--) {
      const txn = trial.#single(clientId, 5 + randomInt(this.#random, 17));
      // ZooKeeper has no such thing inside a multi and could not replay it.
      if (txn.type === OpCode.deleteContainer) continue;
      trial.tree.applyTxn({ ...header, type: txn.type }, txn);
      txns.push(txn);
    }
    if (randomInt(this.#random, 4) === 0) txns.push({ type: OpCode.check, path: "/", version: 1 });
    if (randomInt(this.#random, 5) === 0)
      txns.push({ type: OpCode.error, err: -110 }, { type: OpCode.error, err: -2 });
    return { type: OpCode.multi, txns };
  }

  #single(clientId: bigint, kind: number): Txn {
    const random = this.#random;
    const paths = [...this.tree.znodes.keys()].filter((path) => !path.startsWith("/zookeeper"));
    const path = paths[randomInt(random, paths.length)] as string;
    const znode = this.tree.znodes.get(path);
    if (znode === undefined) throw new Error("no such znode");
    if (kind >= 16 && kind <= 18 && path !== "") {
      if (![...this.tree.znodes.keys()].some((other) => other.startsWith(`${path}/`))) {
        return { type: randomInt(random, 3) === 0 ? OpCode.deleteContainer : OpCode.delete, path };
      }
    }
    const shown = path === "" ? "/" : path;
    if (kind >= 19 && kind <= 21) {
      return { type: OpCode.setData, path: shown, data: this.#data(), version: znode.version + 1 };
    }
    if (kind > 21) {
      return { type: OpCode.setACL, path: shown, acl: this.#acl(), version: znode.aversion + 1 };
    }
    return this.#create(clientId, kind);
  }

  #create(clientId: bigint, kind: number): Txn {
    const random = this.#random;
    const parents = [...this.tree.znodes.values()].filter(
      (znode) => !znode.path.startsWith("/zookeeper") && !this.tree.timeouts.has(znode.ephemeralOwner),
    );
    const parent = parents[randomInt(random, parents.length)];
    if (parent === undefined) throw new Error("no parent");
    const names = ["a", "b", "c", "ü", "node-"];
    let path = `${parent.path}/${names[randomInt(random, names.length)]}`;
    if (this.tree.znodes.has(path)) path += String(parent.cversion).padStart(10, "0");
    const base = { path, data: this.#data(), acl: this.#acl(), parentCVersion: parent.cversion + 1 };
    if (kind === 5) return { type: OpCode.createContainer, ...base };
    if (kind === 6) return { type: OpCode.createTTL, ...base, ttlMs: 1 + randomInt(random, 2 ** 31) };
    const type = randomInt(random, 2) === 0 ? OpCode.create : OpCode.create2;
    return { type, ...base, ephemeral: kind <= 9 && clientId !== 0n };
  }

  #pickSession(): bigint | undefined {
    const ids = [...this.tree.timeouts.keys()];
    return ids[randomInt(this.#random, ids.length)];
  }

  #data(): Uint8Array | null {
    const length = randomInt(this.#random, 40);
    return length === 0 ? null : this.#random.bytes(length - 1);
  }

  #acl(): readonly Acl[] {
    return ACLS[randomInt(this.#random, ACLS.length)] as readonly Acl[];
  }
}

/** An independent copy of a tree. */
export function copyOf(tree: ModelTree): ModelTree {
  const copy = new ModelTree();
  copy.lastZxid = tree.lastZxid;
  for (const [id, timeoutMs] of tree.timeouts) copy.restoreSession(id, timeoutMs);
  for (const node of tree.nodes()) copy.restoreNode(node);
  return copy;
}
