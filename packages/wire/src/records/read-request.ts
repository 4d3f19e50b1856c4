// SPDX-License-Identifier: Apache-2.0
import type { JuteRecord } from "../jute/record.ts";

/** Body of exists, getData, getChildren and getChildren2. */
export interface ReadRequest {
  readonly path: string;
  /** Leave a one-shot watch. */
  readonly watch: boolean;
}

/** ExistsRequest, GetDataRequest, GetChildrenRequest, GetChildren2Request => path:ustring watch:bool */
export const ReadRequest: JuteRecord<ReadRequest> = {
  write(writer, request) {
    writer.ustring(request.path);
    writer.bool(request.watch);
  },
  read(reader) {
    return { path: reader.text(), watch: reader.bool() };
  },
};

/** Body of the requests that carry a path alone: getACL, sync, getAllChildrenNumber, and sync's reply. */
export interface PathRecord {
  readonly path: string;
}

/** GetACLRequest, SyncRequest, SyncResponse, GetAllChildrenNumberRequest => path:ustring */
export const PathRecord: JuteRecord<PathRecord> = {
  write(writer, record) {
    writer.ustring(record.path);
  },
  read(reader) {
    return { path: reader.text() };
  },
};
