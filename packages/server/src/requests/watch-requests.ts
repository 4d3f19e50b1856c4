// SPDX-License-Identifier: Apache-2.0
// Operations on watches alone.
import {
  AddWatchMode,
  AddWatchRequest,
  ErrorCode,
  ErrorResponse,
  EventType,
  OpCode,
  SetWatches,
  SetWatches2,
  WatcherType,
  WatchesRequest,
} from "@meerkat/wire";
import { WatchKind } from "../tree/watch-table.ts";
import { NO_ROW } from "../tree/znode-table.ts";
import type { Client } from "./client.ts";
import type { Engine } from "./engine.ts";

/** addWatch: the path need not exist. */
export function addWatch(engine: Engine, client: Client, xid: number): void {
  const { path, mode } = AddWatchRequest.read(engine.reader);
  const { watches } = engine.tree;
  if (mode === AddWatchMode.persistent) watches.addPersistent(path, client);
  else if (mode === AddWatchMode.persistentRecursive) watches.addRecursive(path, client);
  else {
    engine.reply(xid, ErrorCode.MARSHALLING_ERROR);
    return;
  }
  const frame = engine.beginReply(xid, ErrorCode.OK);
  ErrorResponse.write(engine.out, { err: ErrorCode.OK });
  engine.endReply(frame);
}

/** checkWatches and removeWatches. No event tells of a removal. */
export function checkOrRemoveWatches(engine: Engine, client: Client, xid: number, type: number): void {
  const { path, watcherType } = WatchesRequest.read(engine.reader);
  if (watcherType < WatcherType.children || watcherType > WatcherType.persistentRecursive) {
    engine.reply(xid, ErrorCode.MARSHALLING_ERROR);
    return;
  }
  const { watches } = engine.tree;
  const found =
    type === OpCode.checkWatches
      ? watches.has(path, client, watcherType)
      : watches.remove(path, client, watcherType);
  engine.reply(xid, found ? ErrorCode.OK : ErrorCode.NO_WATCHER);
}

/** setWatches and setWatches2: arms watches again after a reconnect; what was missed fires at once. */
export function setWatches(engine: Engine, client: Client, xid: number, type: number): void {
  const { tree, reader } = engine;
  const { table, watches } = tree;
  const persistent = type === OpCode.setWatches2 ? SetWatches2.read(reader) : undefined;
  const request = persistent ?? SetWatches.read(reader);
  const relativeZxid = Number(request.relativeZxid);
  for (const path of request.dataWatches) {
    const row = table.findText(path);
    if (row === NO_ROW) engine.sendEventTo(client, EventType.nodeDeleted, path);
    else if (table.mzxid(row) > relativeZxid) engine.sendEventTo(client, EventType.nodeDataChanged, path);
    else watches.data.add(path, client, WatchKind.standard);
  }
  for (const path of request.existWatches) {
    if (table.findText(path) !== NO_ROW) engine.sendEventTo(client, EventType.nodeCreated, path);
    else watches.data.add(path, client, WatchKind.standard);
  }
  for (const path of request.childWatches) {
    const row = table.findText(path);
    if (row === NO_ROW) engine.sendEventTo(client, EventType.nodeDeleted, path);
    else if (table.pzxid(row) > relativeZxid) engine.sendEventTo(client, EventType.nodeChildrenChanged, path);
    else watches.child.add(path, client, WatchKind.standard);
  }
  if (persistent !== undefined) {
    for (const path of persistent.persistentWatches) watches.addPersistent(path, client);
    for (const path of persistent.persistentRecursiveWatches) watches.addRecursive(path, client);
  }
  engine.reply(xid, ErrorCode.OK);
}
