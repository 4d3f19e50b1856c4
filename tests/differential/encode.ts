// SPDX-License-Identifier: Apache-2.0
// From a request of a sequence to the bytes of its body.
import {
  AddWatchRequest,
  AuthPacket,
  CreateRequest,
  CreateTtlRequest,
  DeleteRequest,
  GetEphemeralsRequest,
  JuteWriter,
  type MultiOperation,
  MultiRequest,
  OpCode,
  PathRecord,
  ReadRequest,
  ReconfigRequest,
  SetAclRequest,
  SetDataRequest,
  SetWatches,
  SetWatches2,
  WatchesRequest,
} from "@meerkat/wire";
import { type Body, type Mangle, type Operation, type Request, ROOT } from "./sequence.ts";

/** What stands for `~` and for zxid 0 in this play. */
export interface Origin {
  readonly root: string;
  readonly zxid: bigint;
}

const rooted = (path: string, origin: Origin): string => path.replaceAll(ROOT, origin.root);
const bytes = (data: string | null): Buffer | null => (data === null ? null : Buffer.from(data));

function operationFor(operation: Operation, origin: Origin): MultiOperation {
  const path = rooted(operation.path, origin);
  if ("data" in operation) return { ...operation, path, data: bytes(operation.data) };
  return { ...operation, path };
}

function writeBody(writer: JuteWriter, body: Body, origin: Origin): void {
  const at = (path: string): string => rooted(path, origin);
  switch (body.type) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
      CreateRequest.write(writer, { ...body, path: at(body.path), data: bytes(body.data) });
      return;
    case OpCode.createTTL:
      CreateTtlRequest.write(writer, { ...body, path: at(body.path), data: bytes(body.data) });
      return;
    case OpCode.delete:
      DeleteRequest.write(writer, { ...body, path: at(body.path) });
      return;
    case OpCode.exists:
    case OpCode.getData:
    case OpCode.getChildren:
    case OpCode.getChildren2:
      ReadRequest.write(writer, { ...body, path: at(body.path) });
      return;
    case OpCode.setData:
      SetDataRequest.write(writer, { ...body, path: at(body.path), data: bytes(body.data) });
      return;
    case OpCode.setACL:
      SetAclRequest.write(writer, { ...body, path: at(body.path) });
      return;
    case OpCode.getACL:
    case OpCode.sync:
    case OpCode.getAllChildrenNumber:
      PathRecord.write(writer, { path: at(body.path) });
      return;
    case OpCode.getEphemerals: {
      const { prefixPath } = body;
      GetEphemeralsRequest.write(writer, { prefixPath: prefixPath === null ? null : at(prefixPath) });
      return;
    }
    case OpCode.multi:
    case OpCode.multiRead: {
      const operations = body.operations.map((operation) => operationFor(operation, origin));
      MultiRequest.write(writer, { operations });
      return;
    }
    case OpCode.auth:
      AuthPacket.write(writer, { type: 0, scheme: body.scheme, auth: bytes(body.auth) });
      return;
    case OpCode.addWatch:
      AddWatchRequest.write(writer, { ...body, path: at(body.path) });
      return;
    case OpCode.checkWatches:
    case OpCode.removeWatches:
      WatchesRequest.write(writer, { ...body, path: at(body.path) });
      return;
    case OpCode.setWatches:
    case OpCode.setWatches2: {
      const request = {
        relativeZxid: origin.zxid + BigInt(body.relativeZxid),
        dataWatches: body.dataWatches.map(at),
        existWatches: body.existWatches.map(at),
        childWatches: body.childWatches.map(at),
        persistentWatches: body.persistentWatches.map(at),
        persistentRecursiveWatches: body.persistentRecursiveWatches.map(at),
      };
      if (body.type === OpCode.setWatches) SetWatches.write(writer, request);
      else SetWatches2.write(writer, request);
      return;
    }
    case OpCode.reconfig:
      ReconfigRequest.write(writer, {
        joiningServers: null,
        leavingServers: null,
        newMembers: null,
        curConfigId: -1n,
      });
      return;
    case OpCode.whoAmI:
    case OpCode.ping:
    case OpCode.closeSession:
      return;
    case "unknown":
      writer.raw(Buffer.from(body.hex, "hex"));
      return;
  }
}

function mangled(body: Buffer, mangle: Mangle): Buffer {
  if ("cut" in mangle) return body.subarray(0, Math.max(body.length - mangle.cut, 0));
  if ("append" in mangle) return Buffer.concat([body, Buffer.from(mangle.append, "hex")]);
  const copy = Buffer.from(body);
  if (copy.length >= 4) copy.writeInt32BE(mangle.firstInt);
  return copy;
}

/** The body's bytes. */
export function encodeBody(request: Request, origin: Origin): Buffer {
  const writer = new JuteWriter();
  writeBody(writer, request, origin);
  const body = writer.take();
  return request.mangle === undefined ? body : mangled(body, request.mangle);
}

/** The number on the wire. */
export function typeOf(request: Request): number {
  return request.type === "unknown" ? request.code : request.type;
}
