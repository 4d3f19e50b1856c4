// SPDX-License-Identifier: Apache-2.0
// multi and multiRead. A multi's operations are applied one after the other, each checked against what the
// earlier ones left; when one is refused, all are taken back and the refusal is logged.
import {
  CreateFlag,
  ErrorCode,
  JuteWriter,
  type MultiOperation,
  MultiRequest,
  OpCode,
  Permission,
  type Txn,
  WireFormatError,
} from "@meerkat/wire";
import { isAllowed } from "../tree/access.ts";
import {
  type CreateOperation,
  prepareCheck,
  prepareCreate,
  prepareDelete,
  prepareSetData,
  type WriteContext,
} from "../tree/prepare.ts";
import { UndoLog } from "../tree/undo-log.ts";
import { NO_ROW } from "../tree/znode-table.ts";
import type { ZnodeTree } from "../tree/znode-tree.ts";
import type { Client } from "./client.ts";
import type { Engine } from "./engine.ts";

function writeMultiHeader(writer: JuteWriter, type: number, done: boolean, err: number): void {
  writer.int(type);
  writer.bool(done);
  writer.int(err);
}

function writeErrorResult(writer: JuteWriter, err: number): void {
  writeMultiHeader(writer, OpCode.error, false, err);
  writer.int(err);
}

function writeEnd(writer: JuteWriter): void {
  writeMultiHeader(writer, -1, true, -1);
}

/**
 * In a multi the flags alone tell what is made, whatever the operation: Apache reads every kind of create into
 * one type, and some clients send containers as plain creates here.
 */
function createByFlags(operation: CreateOperation): CreateOperation {
  const { type, path, data, acl, flags } = operation;
  if (flags === CreateFlag.container) return { type: OpCode.createContainer, path, data, acl, flags };
  if (flags === CreateFlag.persistentTtl || flags === CreateFlag.persistentSequentialTtl) return operation;
  return { type: type === OpCode.create2 ? type : OpCode.create, path, data, acl, flags };
}

function prepare(tree: ZnodeTree, operation: MultiOperation, context: WriteContext): Txn | ErrorCode {
  switch (operation.type) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
      return prepareCreate(tree, createByFlags(operation), context);
    case OpCode.delete:
      return prepareDelete(tree, operation, context);
    case OpCode.setData:
      return prepareSetData(tree, operation, context);
    case OpCode.check:
      return prepareCheck(tree, operation, context);
    case OpCode.getData:
    case OpCode.getChildren:
      throw new WireFormatError("a multi must not read", 0);
  }
}

/** The result of an applied operation, by the type that Apache gives it: 15 also for containers and TTL. */
function writeResult(tree: ZnodeTree, writer: JuteWriter, txn: Txn, row: number): void {
  switch (txn.type) {
    case OpCode.create:
      writeMultiHeader(writer, OpCode.create, false, ErrorCode.OK);
      writer.ustring(txn.path);
      return;
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
      writeMultiHeader(writer, OpCode.create2, false, ErrorCode.OK);
      writer.ustring(txn.path);
      tree.table.writeStat(row, writer);
      return;
    case OpCode.setData:
      writeMultiHeader(writer, OpCode.setData, false, ErrorCode.OK);
      tree.table.writeStat(row, writer);
      return;
    case OpCode.delete:
    case OpCode.check:
    case OpCode.deleteContainer:
    case OpCode.setACL:
    case OpCode.reconfig:
    case OpCode.createSession:
    case OpCode.closeSession:
    case OpCode.error:
    case OpCode.multi:
      // The first two have no result of their own; the others do not occur in a multi.
      writeMultiHeader(writer, txn.type, false, ErrorCode.OK);
  }
}

/** All or nothing, under one transaction id. The header of the reply says OK even when nothing was done. */
export function multi(engine: Engine, client: Client, xid: number): void {
  const { tree } = engine;
  const { operations } = MultiRequest.read(engine.reader);
  for (const { type } of operations) {
    if (type === OpCode.getData || type === OpCode.getChildren) {
      throw new WireFormatError("a multi must not read", 0);
    }
  }
  const context = engine.contextOf(client);
  const header = engine.nextHeader(client.session.id, xid, OpCode.multi);
  const results = new JuteWriter(operations.length * 128 + 64);
  const undo = new UndoLog(tree);
  const txns: Txn[] = [];
  let err: number = ErrorCode.OK;
  for (const operation of operations) {
    const prepared = prepare(tree, operation, context);
    if (typeof prepared === "number") {
      err = prepared;
      break;
    }
    undo.record(prepared);
    const row = tree.applyQuietly(header, prepared);
    txns.push(prepared);
    writeResult(tree, results, prepared, row);
  }
  if (err !== ErrorCode.OK) {
    undo.rollBack();
    tree.dropEvents();
    results.truncate(0);
    for (let index = 0; index < operations.length; index++) {
      if (index < txns.length) writeErrorResult(results, ErrorCode.OK);
      else writeErrorResult(results, index === txns.length ? err : ErrorCode.RUNTIME_INCONSISTENCY);
    }
  }
  const applied = txns.length;
  for (let index = applied; index < operations.length; index++) {
    const code = index === applied ? err : ErrorCode.RUNTIME_INCONSISTENCY;
    txns.push({ type: OpCode.error, err: code });
  }
  tree.lastZxid = header.zxid;
  engine.log(header, { type: OpCode.multi, txns });
  tree.announce(header.zxid);
  const frame = engine.beginReply(xid, ErrorCode.OK);
  writeEnd(results);
  engine.out.raw(results.take());
  engine.endReply(frame);
}

/** Reads that fail or succeed each on its own. */
export function multiRead(engine: Engine, client: Client, xid: number): void {
  const { tree, out } = engine;
  const { operations } = MultiRequest.read(engine.reader);
  for (const { type } of operations) {
    if (type !== OpCode.getData && type !== OpCode.getChildren) {
      throw new WireFormatError("a multiRead must only read", 0);
    }
  }
  const frame = engine.beginReply(xid, ErrorCode.OK);
  for (const { type, path } of operations) {
    const row = tree.table.findText(path);
    if (row === NO_ROW) {
      writeErrorResult(out, ErrorCode.NO_NODE);
    } else if (!isAllowed(tree.policy, tree.acl(row), Permission.READ, client.identities)) {
      writeErrorResult(out, ErrorCode.NO_AUTH);
    } else {
      writeMultiHeader(out, type, false, ErrorCode.OK);
      if (type === OpCode.getData) tree.table.writeDataAndStat(row, out);
      else tree.table.writeChildren(row, out);
    }
  }
  writeEnd(out);
  engine.endReply(frame);
}
