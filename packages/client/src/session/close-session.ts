// SPDX-License-Identifier: Apache-2.0
// Requests of the session itself.
import { ErrorCode, OpCode } from "@meerkat/wire";
import type { Operation } from "./request.ts";

/** closeSession: no body either way. The server deletes the session's ephemeral znodes, replies and closes. */
export const closeSessionOperation: Operation<true> = {
  code: OpCode.closeSession,
  name: "close",
  replayable: true,
  write() {},
  read: () => true,
};

/** Answered when everything sent before it is: an exists whose answer does not matter. */
export const barrierOperation: Operation<true> = {
  code: OpCode.exists,
  name: "handOver",
  replayable: true,
  write(writer, request) {
    writer.ustring(request.path);
    writer.bool(false);
  },
  read: () => true,
  fromError: (err) => (err === ErrorCode.NO_NODE || err === ErrorCode.NO_AUTH ? true : undefined),
};
