// SPDX-License-Identifier: Apache-2.0
import { AddWatchMode, ErrorCode, OpCode } from "@meerkat/wire";
import { type Operation, Request } from "../session/request.ts";

/** What `addWatchRequest` asks back when it is written and when it is answered. */
export interface AddWatchDetail {
  /** Whether the watch must cover the descendants, by what is wanted on the path at that moment. */
  readonly recursive: () => boolean;
  /** The server has armed the watch. Called in the step that processes the reply. */
  readonly onArmed: () => void;
}

/** AddWatchRequest => path:ustring mode:int. Reply: err:int (always 0) */
const addWatchOperation: Operation<true> = {
  code: OpCode.addWatch,
  name: "addWatch",
  replayable: true,
  write(writer, request) {
    writer.ustring(request.path);
    const recursive = (request.detail as AddWatchDetail).recursive();
    writer.int(recursive ? AddWatchMode.persistentRecursive : AddWatchMode.persistent);
  },
  read: () => true,
  onReply(request, err) {
    if (err === ErrorCode.OK && !request.settled) (request.detail as AddWatchDetail).onArmed();
  },
};

/** CheckWatchesRequest => path:ustring type:int. The reply has no body; the error NO_WATCHER says no. */
const checkWatchesOperation: Operation<boolean> = {
  code: OpCode.checkWatches,
  name: "checkWatches",
  replayable: true,
  write(writer, request) {
    writer.ustring(request.path);
    writer.int(request.number);
  },
  read: () => true,
  fromError: (err) => (err === ErrorCode.NO_WATCHER ? false : undefined),
};

/** RemoveWatchesRequest => path:ustring type:int. The reply has no body. */
const removeWatchesOperation: Operation<boolean> = {
  ...checkWatchesOperation,
  code: OpCode.removeWatches,
  name: "removeWatches",
  onReply(request) {
    (request.detail as (() => void) | undefined)?.();
  },
};

/** Arms a persistent watch. */
export function addWatchRequest(path: string, detail: AddWatchDetail): Request<true> {
  return new Request(addWatchOperation, path, null, 0, null, undefined, detail);
}

/** Asks whether the server holds watches of a `WatcherType` on the path. */
export function checkWatchesRequest(path: string, watcherType: number): Request<boolean> {
  return new Request(checkWatchesOperation, path, null, watcherType);
}

/**
 * Removes the session's watches of a `WatcherType` on the path; false when there were none. `onReply` runs
 * in the step that processes the reply.
 */
export function removeWatchesRequest(
  path: string,
  watcherType: number,
  onReply?: () => void,
): Request<boolean> {
  return new Request(removeWatchesOperation, path, null, watcherType, null, undefined, onReply);
}
