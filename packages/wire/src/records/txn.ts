// SPDX-License-Identifier: Apache-2.0
// Transactions as the server's log holds them (zookeeper.jute, module txn). They never travel to clients.
import { type Acl, readAcls, writeAcls } from "../acl.ts";
import { JuteReader } from "../jute/reader.ts";
import type { JuteRecord } from "../jute/record.ts";
import { JuteWriter } from "../jute/writer.ts";
import { OpCode } from "../op-code.ts";
import { WireFormatError } from "../wire-format-error.ts";
import { readStrings, writeStrings } from "./get-children.ts";

/** Starts every logged transaction. */
export interface TxnHeader {
  /** Session that asked for it; 0n for the server itself. */
  readonly clientId: bigint;
  readonly cxid: number;
  /** Exact below 2^53, that is up to epoch 2^21. */
  readonly zxid: number;
  /** Wall-clock ms since 1970. */
  readonly timeMs: number;
  /** An `OpCode`. */
  readonly type: number;
}

/** A state change, told apart by `type`. Applying it needs no further checks. */
export type Txn =
  | {
      readonly type: typeof OpCode.create | typeof OpCode.create2;
      readonly path: string;
      readonly data: Uint8Array | null;
      readonly acl: readonly Acl[] | null;
      readonly ephemeral: boolean;
      /** The parent's cversion after this create. */
      readonly parentCVersion: number;
    }
  | {
      readonly type: typeof OpCode.createContainer;
      readonly path: string;
      readonly data: Uint8Array | null;
      readonly acl: readonly Acl[] | null;
      readonly parentCVersion: number;
    }
  | {
      readonly type: typeof OpCode.createTTL;
      readonly path: string;
      readonly data: Uint8Array | null;
      readonly acl: readonly Acl[] | null;
      readonly parentCVersion: number;
      readonly ttlMs: number;
    }
  | { readonly type: typeof OpCode.delete | typeof OpCode.deleteContainer; readonly path: string }
  | {
      readonly type: typeof OpCode.setData | typeof OpCode.reconfig;
      readonly path: string;
      readonly data: Uint8Array | null;
      /** The version after this change. */
      readonly version: number;
    }
  | {
      readonly type: typeof OpCode.setACL;
      readonly path: string;
      readonly acl: readonly Acl[] | null;
      /** The ACL version after this change. */
      readonly version: number;
    }
  | { readonly type: typeof OpCode.check; readonly path: string; readonly version: number }
  | { readonly type: typeof OpCode.createSession; readonly timeoutMs: number }
  | { readonly type: typeof OpCode.closeSession; readonly paths: readonly string[] }
  | { readonly type: typeof OpCode.error; readonly err: number }
  /** With an `error` inside, nothing of it is applied. */
  | { readonly type: typeof OpCode.multi; readonly txns: readonly Txn[] };

/** TxnHeader => clientId:long cxid:int zxid:long time:long type:int */
export const TxnHeader: JuteRecord<TxnHeader> = {
  write(writer, header) {
    writer.long(header.clientId);
    writer.int(header.cxid);
    writer.longNumber(header.zxid);
    writer.longNumber(header.timeMs);
    writer.int(header.type);
  },
  read(reader) {
    return {
      clientId: reader.long(),
      cxid: reader.int(),
      zxid: reader.longNumber(),
      timeMs: reader.longNumber(),
      type: reader.int(),
    };
  },
};

/** Writes the body of a transaction; its type stands in the header (or before it, inside a multi). */
export function writeTxn(writer: JuteWriter, txn: Txn): void {
  switch (txn.type) {
    case OpCode.create:
    case OpCode.create2:
      // CreateTxn => path:ustring data:buffer acl:vector<ACL> ephemeral:bool parentCVersion:int
      writer.ustring(txn.path);
      writer.buffer(txn.data);
      writeAcls(writer, txn.acl);
      writer.bool(txn.ephemeral);
      writer.int(txn.parentCVersion);
      return;
    case OpCode.createContainer:
    case OpCode.createTTL:
      // CreateContainerTxn => path data acl parentCVersion:int; CreateTTLTxn => the same and ttl:long
      writer.ustring(txn.path);
      writer.buffer(txn.data);
      writeAcls(writer, txn.acl);
      writer.int(txn.parentCVersion);
      if (txn.type === OpCode.createTTL) writer.longNumber(txn.ttlMs);
      return;
    case OpCode.delete:
    case OpCode.deleteContainer:
      // DeleteTxn => path:ustring
      writer.ustring(txn.path);
      return;
    case OpCode.setData:
    case OpCode.reconfig:
      // SetDataTxn => path:ustring data:buffer version:int
      writer.ustring(txn.path);
      writer.buffer(txn.data);
      writer.int(txn.version);
      return;
    case OpCode.setACL:
      // SetACLTxn => path:ustring acl:vector<ACL> version:int
      writer.ustring(txn.path);
      writeAcls(writer, txn.acl);
      writer.int(txn.version);
      return;
    case OpCode.check:
      // CheckVersionTxn => path:ustring version:int
      writer.ustring(txn.path);
      writer.int(txn.version);
      return;
    case OpCode.createSession:
      // CreateSessionTxn => timeOut:int
      writer.int(txn.timeoutMs);
      return;
    case OpCode.closeSession:
      // CloseSessionTxn => paths2Delete:vector<ustring>
      writeStrings(writer, txn.paths);
      return;
    case OpCode.error:
      // ErrorTxn => err:int
      writer.int(txn.err);
      return;
    case OpCode.multi:
      // MultiTxn => txns:vector<Txn{type:int data:buffer}>
      writer.vector(txn.txns, (item, inner) => {
        const body = new JuteWriter(256);
        writeTxn(body, inner);
        item.int(inner.type);
        item.buffer(body.take());
      });
  }
}

/** Reads the body of a transaction of the given type. Buffers are views. Throws on an unknown type. */
export function readTxn(reader: JuteReader, type: number): Txn {
  switch (type) {
    case OpCode.create:
    case OpCode.create2:
      return {
        type,
        path: reader.text(),
        data: reader.buffer(),
        acl: readAcls(reader),
        ephemeral: reader.bool(),
        parentCVersion: reader.int(),
      };
    case OpCode.createContainer:
      return {
        type,
        path: reader.text(),
        data: reader.buffer(),
        acl: readAcls(reader),
        parentCVersion: reader.int(),
      };
    case OpCode.createTTL:
      return {
        type,
        path: reader.text(),
        data: reader.buffer(),
        acl: readAcls(reader),
        parentCVersion: reader.int(),
        ttlMs: reader.longNumber(),
      };
    case OpCode.delete:
    case OpCode.deleteContainer:
      return { type, path: reader.text() };
    case OpCode.setData:
    case OpCode.reconfig:
      return { type, path: reader.text(), data: reader.buffer(), version: reader.int() };
    case OpCode.setACL:
      return { type, path: reader.text(), acl: readAcls(reader), version: reader.int() };
    case OpCode.check:
      return { type, path: reader.text(), version: reader.int() };
    case OpCode.createSession:
      return { type, timeoutMs: reader.int() };
    case OpCode.closeSession:
      // Logs older than 3.6 have no list.
      return { type, paths: reader.remaining > 0 ? readStrings(reader) : [] };
    case OpCode.error:
      return { type, err: reader.int() };
    case OpCode.multi:
      return { type, txns: reader.vector(8, readInnerTxn) ?? [] };
    default:
      throw new WireFormatError(`transaction of unknown type ${type}`, reader.position);
  }
}

function readInnerTxn(reader: JuteReader): Txn {
  const type = reader.int();
  // The server never nests them; following a nest as deep as a damaged log says would exhaust the stack.
  if (type === OpCode.multi) throw new WireFormatError("a multi inside a multi", reader.position - 4);
  const body = reader.buffer();
  if (body === null) throw new WireFormatError("transaction without a body", reader.position);
  return readTxn(new JuteReader(body), type);
}
