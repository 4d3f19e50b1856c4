// SPDX-License-Identifier: Apache-2.0
import type { JuteReader } from "../jute/reader.ts";
import type { JuteRecord } from "../jute/record.ts";
import type { JuteWriter } from "../jute/writer.ts";
import { type Stat, StatRecord } from "../stat.ts";

export interface GetChildrenResponse {
  readonly children: readonly string[];
}

export interface GetChildren2Response extends GetChildrenResponse {
  readonly stat: Stat;
}

/** vector<ustring>; null is read as an empty list. */
export function readStrings(reader: JuteReader): string[] {
  return reader.vector(4, (item) => item.text()) ?? [];
}

/** See `readStrings`. */
export function writeStrings(writer: JuteWriter, strings: readonly string[]): void {
  writer.vector(strings, (item, text) => item.ustring(text));
}

/** GetChildrenResponse => children:vector<ustring>. GetEphemeralsResponse is the same. */
export const GetChildrenResponse: JuteRecord<GetChildrenResponse> = {
  write(writer, response) {
    writeStrings(writer, response.children);
  },
  read(reader) {
    return { children: readStrings(reader) };
  },
};

/** GetChildren2Response => children:vector<ustring> stat:Stat */
export const GetChildren2Response: JuteRecord<GetChildren2Response> = {
  write(writer, response) {
    writeStrings(writer, response.children);
    StatRecord.write(writer, response.stat);
  },
  read(reader) {
    return { children: readStrings(reader), stat: StatRecord.read(reader) };
  },
};
