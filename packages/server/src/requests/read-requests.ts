// SPDX-License-Identifier: Apache-2.0
// Operations that change nothing. The hot ones look the path up from the request's bytes and copy the reply
// from the tree's slab; a string is made only where a watch is left.
import {
  CountResponse,
  ErrorCode,
  GetChildrenResponse,
  GetEphemeralsRequest,
  OpCode,
  PathRecord,
  Permission,
  WhoAmIResponse,
  WireFormatError,
  writeAcls,
} from "@meerkat/wire";
import { aclAccess, isAllowed, maskAcl } from "../tree/access.ts";
import { WatchKind } from "../tree/watch-table.ts";
import { NO_ROW } from "../tree/znode-table.ts";
import type { Client } from "./client.ts";
import type { Engine } from "./engine.ts";

/** Position of the body in a request: after xid and type. */
const BODY_OFFSET = 8;

/** exists, getData, getChildren, getChildren2: path:ustring watch:bool. `bytes[start, end)` is the frame. */
export function readPathAndWatch(
  engine: Engine,
  client: Client,
  xid: number,
  type: number,
  bytes: Buffer,
  start: number,
): void {
  const { tree, reader } = engine;
  const length = reader.int();
  if (length < 0) throw new WireFormatError("a path must not be null", reader.position - 4);
  reader.skip(length);
  const from = start + BODY_OFFSET + 4;
  const row = tree.table.find(bytes, from, from + length);
  const watch = reader.bool();
  if (row === NO_ROW) {
    const hasNul = type === OpCode.exists && bytes.subarray(from, from + length).includes(0);
    if (watch && type === OpCode.exists && !hasNul) {
      tree.watches.data.add(bytes.utf8Slice(from, from + length), client, WatchKind.standard);
    }
    engine.reply(xid, hasNul ? ErrorCode.BAD_ARGUMENTS : ErrorCode.NO_NODE);
    return;
  }
  if (!isAllowed(tree.policy, tree.acl(row), Permission.READ, client.identities)) {
    engine.reply(xid, ErrorCode.NO_AUTH);
    return;
  }
  if (watch) {
    const table = type === OpCode.exists || type === OpCode.getData ? tree.watches.data : tree.watches.child;
    table.add(bytes.utf8Slice(from, from + length), client, WatchKind.standard);
  }
  const frame = engine.beginReply(xid, ErrorCode.OK);
  const { out } = engine;
  if (type === OpCode.getData) {
    tree.table.writeDataAndStat(row, out);
  } else {
    if (type !== OpCode.exists) tree.table.writeChildren(row, out);
    if (type !== OpCode.getChildren) tree.table.writeStat(row, out);
  }
  engine.endReply(frame);
}

/** getACL: whoever may only read is shown digests without their hash. */
export function readAcl(engine: Engine, client: Client, xid: number): void {
  const { tree, out } = engine;
  const { path } = PathRecord.read(engine.reader);
  const row = tree.table.findText(path);
  if (row === NO_ROW) {
    engine.reply(xid, ErrorCode.NO_NODE);
    return;
  }
  const access = aclAccess(tree.policy, tree.acl(row), client.identities);
  if (access === "none") {
    engine.reply(xid, ErrorCode.NO_AUTH);
    return;
  }
  const list = tree.acls.list(tree.table.acl(row));
  const frame = engine.beginReply(xid, ErrorCode.OK);
  writeAcls(out, access === "full" ? list : maskAcl(list));
  tree.table.writeStat(row, out);
  engine.endReply(frame);
}

/** sync: everything before it is in the tree already, so the path is echoed, whatever it is, null too. */
export function sync(engine: Engine, xid: number): void {
  const path = engine.reader.ustring();
  const frame = engine.beginReply(xid, ErrorCode.OK);
  engine.out.ustring(path);
  engine.endReply(frame);
}

/** getAllChildrenNumber: all descendants. */
export function countDescendants(engine: Engine, client: Client, xid: number): void {
  const { tree } = engine;
  const { path } = PathRecord.read(engine.reader);
  const row = tree.table.findText(path);
  if (row === NO_ROW) {
    engine.reply(xid, ErrorCode.NO_NODE);
    return;
  }
  if (!isAllowed(tree.policy, tree.acl(row), Permission.READ, client.identities)) {
    engine.reply(xid, ErrorCode.NO_AUTH);
    return;
  }
  let count = -1;
  if (path === "/" || path === "") count += tree.table.count;
  else for (const _ of tree.descendants(row)) count++;
  const frame = engine.beginReply(xid, ErrorCode.OK);
  CountResponse.write(engine.out, { count });
  engine.endReply(frame);
}

/** getEphemerals: the session's own, by plain string prefix. */
export function readEphemerals(engine: Engine, client: Client, xid: number): void {
  const { prefixPath } = GetEphemeralsRequest.read(engine.reader);
  const prefix = prefixPath ?? "";
  const children = engine.tree.ephemeralPaths(client.session.id).filter((path) => path.startsWith(prefix));
  const frame = engine.beginReply(xid, ErrorCode.OK);
  GetChildrenResponse.write(engine.out, { children });
  engine.endReply(frame);
}

/** whoAmI: the identities of the connection; digests without their hash. */
export function whoAmI(engine: Engine, client: Client, xid: number): void {
  const clients = client.identities.map(({ scheme, id }) => ({
    scheme,
    user: scheme === "digest" ? id.slice(0, Math.max(id.indexOf(":"), 0)) : id,
  }));
  const frame = engine.beginReply(xid, ErrorCode.OK);
  WhoAmIResponse.write(engine.out, { clients });
  engine.endReply(frame);
}
