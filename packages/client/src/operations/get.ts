// SPDX-License-Identifier: Apache-2.0
import { ErrorCode, type JuteReader, OpCode, Stat } from "@meerkat/wire";
import { type Operation, Request, type WatchListener } from "../session/request.ts";

/** What `get` gives. */
export interface GetResult {
  /** A copy owned by the caller. Empty for a znode with null data. */
  readonly data: Buffer;
  readonly stat: Stat;
}

/** Shared: nothing can be written into it. */
const EMPTY: Buffer = Buffer.alloc(0);

/** Copies a buffer field out of the frame: once, straight into the caller's memory. */
export function readData(reader: JuteReader): Buffer {
  const view = reader.buffer();
  return view === null || view.length === 0 ? EMPTY : Buffer.from(view);
}

/** GetDataRequest => path:ustring watch:bool. Reply: data:buffer stat:Stat */
const getOperation: Operation<GetResult> = {
  code: OpCode.getData,
  name: "get",
  replayable: true,
  watchKind: "data",
  write(writer, request, watch) {
    writer.ustring(request.path);
    writer.bool(watch);
  },
  read: (reader) => ({ data: readData(reader), stat: new Stat(reader) }),
};

/** ExistsRequest => path:ustring watch:bool. Reply: stat:Stat, or the error NO_NODE, which is an answer too. */
const existsOperation: Operation<Stat | null> = {
  code: OpCode.exists,
  name: "exists",
  replayable: true,
  watchKind: "exists",
  write: getOperation.write,
  read: (reader) => new Stat(reader),
  fromError: (err) => (err === ErrorCode.NO_NODE ? null : undefined),
};

/** Reads a znode. */
export function getRequest(path: string, watch: WatchListener | undefined): Request<GetResult> {
  return new Request(getOperation, path, null, 0, null, watch);
}

/** Asks whether a znode exists. */
export function existsRequest(path: string, watch: WatchListener | undefined): Request<Stat | null> {
  return new Request(existsOperation, path, null, 0, null, watch);
}
