// SPDX-License-Identifier: Apache-2.0
import { OpCode, Stat } from "@meerkat/wire";
import { type Operation, Request } from "../session/request.ts";

/** SetDataRequest => path:ustring data:buffer version:int. Reply: stat:Stat */
const setOperation: Operation<Stat> = {
  code: OpCode.setData,
  name: "set",
  replayable: false,
  write(writer, request) {
    writer.ustring(request.path);
    writer.buffer(request.data);
    writer.int(request.number);
  },
  read: (reader) => new Stat(reader),
};

/** Replaces the data of a znode. `version` -1 for any. */
export function setRequest(path: string, data: Uint8Array | null, version: number): Request<Stat> {
  return new Request(setOperation, path, data, version);
}
