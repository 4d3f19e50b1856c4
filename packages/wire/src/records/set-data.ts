// SPDX-License-Identifier: Apache-2.0
import type { JuteRecord } from "../jute/record.ts";
import { type Stat, StatRecord } from "../stat.ts";

export interface SetDataRequest {
  readonly path: string;
  readonly data: Uint8Array | null;
  /** -1 for any. */
  readonly version: number;
}

/** A reply that is a Stat alone. */
export interface StatResponse {
  readonly stat: Stat;
}

/** SetDataRequest => path:ustring data:buffer version:int */
export const SetDataRequest: JuteRecord<SetDataRequest> = {
  write(writer, request) {
    writer.ustring(request.path);
    writer.buffer(request.data);
    writer.int(request.version);
  },
  read(reader) {
    return { path: reader.text(), data: reader.buffer(), version: reader.int() };
  },
};

/** SetDataResponse, ExistsResponse, SetACLResponse => stat:Stat */
export const StatResponse: JuteRecord<StatResponse> = {
  write(writer, response) {
    StatRecord.write(writer, response.stat);
  },
  read(reader) {
    return { stat: StatRecord.read(reader) };
  },
};
