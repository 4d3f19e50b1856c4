// SPDX-License-Identifier: Apache-2.0
// Requests of the load generator: everything that does not change from one to the next is encoded once.
import {
  CreateFlag,
  CreateRequest,
  JuteWriter,
  OPEN_ACL,
  OpCode,
  ReadRequest,
  SetDataRequest,
} from "@meerkat/wire";

/** What the load generator can ask for. `mix` is nine gets to one set. */
export type LoadOperation =
  | "get"
  | "exists"
  | "children"
  | "set"
  | "create"
  | "createSpread"
  | "ephemeralSequential"
  | "mix"
  | "getWatched";

/** Appends one whole frame. `index` numbers the operations of a run. */
export type FrameWriter = (writer: JuteWriter, xid: number, index: number) => void;

/** Path of the `index`th znode that a `create` makes below `parent`: as long for every index. */
export function createdPath(parent: string, index: number): string {
  return `${parent}/${String(index).padStart(8, "0")}`;
}

/** Frames that differ in their xid only. */
function fixedFrame(type: number, writeBody: (writer: JuteWriter) => void): FrameWriter {
  const encoder = new JuteWriter(256);
  encoder.int(type);
  writeBody(encoder);
  const tail = encoder.take();
  const frameBytes = tail.length + 4;
  return (writer, xid) => {
    writer.int(frameBytes);
    writer.int(xid);
    writer.raw(tail);
  };
}

function read(type: number, path: string, watch: boolean): FrameWriter {
  return fixedFrame(type, (writer) => ReadRequest.write(writer, { path, watch }));
}

/** Number of parents that `createSpread` makes its znodes below. */
export const SPREAD_PARENTS = 1000;

/** The `index`th of those parents. */
export function spreadParent(path: string, index: number): string {
  return `${path}/${String(index % SPREAD_PARENTS).padStart(3, "0")}`;
}

function create(pathOf: (index: number) => string, data: Buffer): FrameWriter {
  const encoder = new JuteWriter(256);
  CreateRequest.write(encoder, { path: "", data, acl: OPEN_ACL, flags: CreateFlag.persistent });
  // Everything behind the path, whose empty form takes 4 bytes.
  const tail = encoder.take().subarray(4);
  return (writer, xid, index) => {
    const frame = writer.beginFrame();
    writer.int(xid);
    writer.int(OpCode.create);
    writer.ustring(pathOf(index));
    writer.raw(tail);
    writer.endFrame(frame);
  };
}

/** The writer of an operation on `path` (for creates: below it) with `dataBytes` bytes of data. */
export function frameWriter(operation: LoadOperation, path: string, dataBytes: number): FrameWriter {
  const data = Buffer.alloc(dataBytes, "d");
  switch (operation) {
    case "get":
      return read(OpCode.getData, path, false);
    case "getWatched":
      return read(OpCode.getData, path, true);
    case "exists":
      return read(OpCode.exists, path, false);
    case "children":
      return read(OpCode.getChildren2, path, false);
    case "set":
      return fixedFrame(OpCode.setData, (writer) =>
        SetDataRequest.write(writer, { path, data, version: -1 }),
      );
    case "create":
      return create((index) => createdPath(path, index), data);
    case "createSpread":
      return create((index) => createdPath(spreadParent(path, index), index), data);
    case "ephemeralSequential": {
      const flags = CreateFlag.ephemeralSequential;
      return fixedFrame(OpCode.create, (writer) =>
        CreateRequest.write(writer, { path: `${path}/e-`, data, acl: OPEN_ACL, flags }),
      );
    }
    case "mix": {
      const get = frameWriter("get", path, dataBytes);
      const set = frameWriter("set", path, dataBytes);
      return (writer, xid, index) => (index % 10 === 0 ? set : get)(writer, xid, index);
    }
  }
}
