// SPDX-License-Identifier: Apache-2.0
import type { JuteRecord } from "../jute/record.ts";

/** Also the body of `check`, which only a multi may carry. */
export interface DeleteRequest {
  readonly path: string;
  /** -1 for any. */
  readonly version: number;
}

/** DeleteRequest => path:ustring version:int. The reply has no body. */
export const DeleteRequest: JuteRecord<DeleteRequest> = {
  write(writer, request) {
    writer.ustring(request.path);
    writer.int(request.version);
  },
  read(reader) {
    return { path: reader.text(), version: reader.int() };
  },
};

/** CheckVersionRequest => path:ustring version:int */
export const CheckVersionRequest: JuteRecord<DeleteRequest> = {
  write: DeleteRequest.write,
  read: DeleteRequest.read,
};
