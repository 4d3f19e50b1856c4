// SPDX-License-Identifier: Apache-2.0
import { CountResponse, GetChildren2Response, GetChildrenResponse, OpCode, type Stat } from "@meerkat/wire";
import type { Chroot } from "../chroot.ts";
import { type Operation, Request, type WatchListener } from "../session/request.ts";

/** What `children` gives. */
export interface ChildrenResult {
  /** Names (not paths), in no particular order. */
  readonly children: string[];
  readonly stat: Stat;
}

/** GetChildren2Request => path:ustring watch:bool. Reply: children:vector<ustring> stat:Stat */
const childrenOperation: Operation<ChildrenResult> = {
  code: OpCode.getChildren2,
  name: "children",
  replayable: true,
  watchKind: "child",
  write(writer, request, watch) {
    writer.ustring(request.path);
    writer.bool(watch);
  },
  read: (reader) => GetChildren2Response.read(reader) as ChildrenResult,
};

/** GetAllChildrenNumberRequest => path:ustring. Reply: totalNumber:int */
const countDescendantsOperation: Operation<number> = {
  code: OpCode.getAllChildrenNumber,
  name: "countDescendants",
  replayable: true,
  write(writer, request) {
    writer.ustring(request.path);
  },
  read: (reader) => CountResponse.read(reader).count,
};

/** GetEphemeralsRequest => prefixPath:ustring. Reply: vector<ustring> */
const ephemeralsOperation: Operation<string[]> = {
  code: OpCode.getEphemerals,
  name: "ephemerals",
  replayable: true,
  write(writer, request) {
    writer.ustring(request.path);
  },
  read: (reader, _request, chroot: Chroot) =>
    GetChildrenResponse.read(reader).children.map((path) => chroot.inward(path)),
};

/** Lists the children of a znode. */
export function childrenRequest(path: string, watch: WatchListener | undefined): Request<ChildrenResult> {
  return new Request(childrenOperation, path, null, 0, null, watch);
}

/** Counts all descendants of a znode. */
export function countDescendantsRequest(path: string): Request<number> {
  return new Request(countDescendantsOperation, path);
}

/** Lists the session's ephemeral znodes whose path starts with `prefix`. */
export function ephemeralsRequest(prefix: string): Request<string[]> {
  return new Request(ephemeralsOperation, prefix);
}
