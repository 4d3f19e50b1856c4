// SPDX-License-Identifier: Apache-2.0
import { OpCode } from "@meerkat/wire";
import { type Operation, Request } from "../session/request.ts";

/** DeleteRequest => path:ustring version:int. The reply has no body. */
const deleteOperation: Operation<void> = {
  code: OpCode.delete,
  name: "delete",
  replayable: false,
  write(writer, request) {
    writer.ustring(request.path);
    writer.int(request.number);
  },
  read() {},
};

/** Deletes a znode without children. `version` -1 for any. */
export function deleteRequest(path: string, version: number): Request<void> {
  return new Request(deleteOperation, path, null, version);
}
