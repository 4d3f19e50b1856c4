// SPDX-License-Identifier: Apache-2.0
import { type Acl, readAcls, writeAcls } from "../acl.ts";
import type { JuteRecord } from "../jute/record.ts";
import { type Stat, StatRecord } from "../stat.ts";

export interface GetAclResponse {
  readonly acl: readonly Acl[] | null;
  readonly stat: Stat;
}

export interface SetAclRequest {
  readonly path: string;
  readonly acl: readonly Acl[] | null;
  /** Compared with `aversion`; -1 for any. */
  readonly version: number;
}

/** GetACLResponse => acl:vector<ACL> stat:Stat */
export const GetAclResponse: JuteRecord<GetAclResponse> = {
  write(writer, response) {
    writeAcls(writer, response.acl);
    StatRecord.write(writer, response.stat);
  },
  read(reader) {
    return { acl: readAcls(reader), stat: StatRecord.read(reader) };
  },
};

/** SetACLRequest => path:ustring acl:vector<ACL> version:int */
export const SetAclRequest: JuteRecord<SetAclRequest> = {
  write(writer, request) {
    writer.ustring(request.path);
    writeAcls(writer, request.acl);
    writer.int(request.version);
  },
  read(reader) {
    return { path: reader.text(), acl: readAcls(reader), version: reader.int() };
  },
};
