// SPDX-License-Identifier: Apache-2.0
import { OpCode } from "@meerkat/wire";
import type { Operation } from "./request.ts";

/** closeSession: no body either way. The server deletes the session's ephemeral znodes, replies and closes. */
export const closeSessionOperation: Operation<true> = {
  code: OpCode.closeSession,
  name: "close",
  replayable: true,
  write() {},
  read: () => true,
};
