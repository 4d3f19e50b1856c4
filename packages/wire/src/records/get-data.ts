// SPDX-License-Identifier: Apache-2.0
import type { JuteRecord } from "../jute/record.ts";
import { type Stat, StatRecord } from "../stat.ts";

export interface GetDataResponse {
  /** Null for a znode made with null data. A view of the frame when read from the wire. */
  readonly data: Buffer | null;
  readonly stat: Stat;
}

/** GetDataResponse => data:buffer stat:Stat */
export const GetDataResponse: JuteRecord<GetDataResponse> = {
  write(writer, response) {
    writer.buffer(response.data);
    StatRecord.write(writer, response.stat);
  },
  read(reader) {
    return { data: reader.buffer(), stat: StatRecord.read(reader) };
  },
};
