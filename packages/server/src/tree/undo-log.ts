// SPDX-License-Identifier: Apache-2.0
// Taking back the first operations of a multi when a later one is refused. Each operation of a multi is
// applied at once, since the next is checked against its effect; this keeps what it overwrites.
import { type Acl, nodeName, OpCode, parentPath, type Txn } from "@meerkat/wire";
import type { ZnodeKind } from "./znode-kind.ts";
import { NO_ROW } from "./znode-table.ts";
import type { ZnodeTree } from "./znode-tree.ts";

/** Puts back what one operation changed. */
type Undo = () => void;

/** State saved before the operations of one multi, undone last first. */
export class UndoLog {
  readonly #tree: ZnodeTree;
  readonly #undos: Undo[] = [];

  constructor(tree: ZnodeTree) {
    this.#tree = tree;
  }

  /** Notes what `txn` is about to overwrite. It must be valid and be applied next. */
  record(txn: Txn): void {
    switch (txn.type) {
      case OpCode.create:
      case OpCode.create2:
      case OpCode.createContainer:
      case OpCode.createTTL:
        this.#undos.push(this.#beforeCreate(txn.path));
        return;
      case OpCode.delete:
        this.#undos.push(this.#beforeDelete(txn.path));
        return;
      case OpCode.setData:
        this.#undos.push(this.#beforeSetData(txn.path));
        return;
      case OpCode.check:
      case OpCode.error:
      case OpCode.multi:
      case OpCode.setACL:
      case OpCode.reconfig:
      case OpCode.createSession:
      case OpCode.closeSession:
      case OpCode.deleteContainer:
        // Checks change nothing; the others do not occur in a multi.
        return;
    }
  }

  /** Restores the state before the first recorded operation. */
  rollBack(): void {
    for (const undo of this.#undos.reverse()) undo();
    this.#undos.length = 0;
  }

  #parentState(path: string): Undo {
    const { table } = this.#tree;
    const parent = table.findText(parentPath(path));
    const cversion = table.cversion(parent);
    const pzxid = table.pzxid(parent);
    return () => {
      const row = table.findText(parentPath(path));
      table.setCversion(row, cversion);
      table.setPzxid(row, pzxid);
    };
  }

  #beforeCreate(path: string): Undo {
    const restoreParent = this.#parentState(path);
    return () => {
      const row = this.#tree.table.findText(path);
      if (row !== NO_ROW) this.#tree.removeRow(row, path);
      restoreParent();
    };
  }

  #beforeDelete(path: string): Undo {
    const tree = this.#tree;
    const { table } = tree;
    const row = table.findText(path);
    const data = table.data(row);
    const kind: ZnodeKind = tree.kind(row);
    const acl: readonly Acl[] | null = tree.acl(row).list;
    const fields = {
      path,
      data: data === null ? null : Buffer.from(data),
      acl,
      czxid: table.czxid(row),
      mzxid: table.mzxid(row),
      pzxid: table.pzxid(row),
      ctimeMs: table.ctimeMs(row),
      mtimeMs: table.mtimeMs(row),
      version: table.version(row),
      cversion: table.cversion(row),
      aversion: table.aversion(row),
    };
    const restoreParent = this.#parentState(path);
    return () => {
      tree.insertRow(table.findText(parentPath(path)), nodeName(path), kind, fields);
      restoreParent();
    };
  }

  #beforeSetData(path: string): Undo {
    const tree = this.#tree;
    const { table } = tree;
    const row = table.findText(path);
    const data = table.data(row);
    const saved = data === null ? null : Buffer.from(data);
    const version = table.version(row);
    const mzxid = table.mzxid(row);
    const mtimeMs = table.mtimeMs(row);
    return () => {
      const now = table.findText(path);
      tree.replaceData(now, path, saved);
      table.setModified(now, version, mzxid, mtimeMs);
    };
  }
}
