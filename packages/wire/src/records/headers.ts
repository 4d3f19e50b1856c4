// SPDX-License-Identifier: Apache-2.0
import type { JuteRecord } from "../jute/record.ts";

/** Starts every request after the first frame. */
export interface RequestHeader {
  readonly xid: number;
  /** An `OpCode`. */
  readonly type: number;
}

/** Starts every reply and notification. With `err` other than 0 nothing follows. */
export interface ReplyHeader {
  readonly xid: number;
  readonly zxid: bigint;
  /** An `ErrorCode`. */
  readonly err: number;
}

/** RequestHeader => xid:int type:int */
export const RequestHeader: JuteRecord<RequestHeader> = {
  write(writer, header) {
    writer.int(header.xid);
    writer.int(header.type);
  },
  read(reader) {
    return { xid: reader.int(), type: reader.int() };
  },
};

/** ReplyHeader => xid:int zxid:long err:int */
export const ReplyHeader: JuteRecord<ReplyHeader> = {
  write(writer, header) {
    writer.int(header.xid);
    writer.long(header.zxid);
    writer.int(header.err);
  },
  read(reader) {
    return { xid: reader.int(), zxid: reader.long(), err: reader.int() };
  },
};
