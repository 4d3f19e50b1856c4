// SPDX-License-Identifier: Apache-2.0
// Small requests that stand alone: getEphemerals, getAllChildrenNumber, reconfig, and the reply that is an
// error code.
import type { JuteRecord } from "../jute/record.ts";

export interface GetEphemeralsRequest {
  /** A plain prefix of paths; null, "" and "/" mean all. */
  readonly prefixPath: string | null;
}

export interface CountResponse {
  readonly count: number;
}

export interface ReconfigRequest {
  readonly joiningServers: string | null;
  readonly leavingServers: string | null;
  readonly newMembers: string | null;
  /** -1 for any. */
  readonly curConfigId: bigint;
}

/** Body of addWatch's reply, and of a failed operation in a multi. */
export interface ErrorResponse {
  readonly err: number;
}

/** GetEphemeralsRequest => prefixPath:ustring. The reply is a GetChildrenResponse. */
export const GetEphemeralsRequest: JuteRecord<GetEphemeralsRequest> = {
  write(writer, request) {
    writer.ustring(request.prefixPath);
  },
  read(reader) {
    return { prefixPath: reader.ustring() };
  },
};

/** GetAllChildrenNumberResponse => totalNumber:int */
export const CountResponse: JuteRecord<CountResponse> = {
  write(writer, response) {
    writer.int(response.count);
  },
  read(reader) {
    return { count: reader.int() };
  },
};

/** ReconfigRequest => joiningServers:ustring leavingServers:ustring newMembers:ustring curConfigId:long */
export const ReconfigRequest: JuteRecord<ReconfigRequest> = {
  write(writer, request) {
    writer.ustring(request.joiningServers);
    writer.ustring(request.leavingServers);
    writer.ustring(request.newMembers);
    writer.long(request.curConfigId);
  },
  read(reader) {
    return {
      joiningServers: reader.ustring(),
      leavingServers: reader.ustring(),
      newMembers: reader.ustring(),
      curConfigId: reader.long(),
    };
  },
};

/** ErrorResponse => err:int */
export const ErrorResponse: JuteRecord<ErrorResponse> = {
  write(writer, response) {
    writer.int(response.err);
  },
  read(reader) {
    return { err: reader.int() };
  },
};
