// SPDX-License-Identifier: Apache-2.0
import { OpCode } from "@meerkat/wire";
import { type Operation, Request } from "../session/request.ts";

/** SyncRequest => path:ustring. Reply: path:ustring */
const syncOperation: Operation<void> = {
  code: OpCode.sync,
  name: "sync",
  replayable: true,
  write(writer, request) {
    writer.ustring(request.path);
  },
  read(reader) {
    reader.ustring();
  },
};

/** Waits until the server in use has caught up with the leader. */
export function syncRequest(path: string): Request<void> {
  return new Request(syncOperation, path);
}
