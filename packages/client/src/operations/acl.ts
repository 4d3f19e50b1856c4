// SPDX-License-Identifier: Apache-2.0
import { type Acl, type ClientInfo, OpCode, readAcls, Stat, WhoAmIResponse, writeAcls } from "@meerkat/wire";
import { type Operation, Request } from "../session/request.ts";

/** What `getAcl` gives. */
export interface AclResult {
  readonly acl: Acl[];
  readonly stat: Stat;
}

/** GetACLRequest => path:ustring. Reply: acl:vector<ACL> stat:Stat */
const getAclOperation: Operation<AclResult> = {
  code: OpCode.getACL,
  name: "getAcl",
  replayable: true,
  write(writer, request) {
    writer.ustring(request.path);
  },
  read: (reader) => ({ acl: readAcls(reader) ?? [], stat: new Stat(reader) }),
};

/** SetACLRequest => path:ustring acl:vector<ACL> version:int. Reply: stat:Stat */
const setAclOperation: Operation<Stat> = {
  code: OpCode.setACL,
  name: "setAcl",
  replayable: false,
  write(writer, request) {
    writer.ustring(request.path);
    writeAcls(writer, request.acl);
    writer.int(request.number);
  },
  read: (reader) => new Stat(reader),
};

/** WhoAmIRequest => nothing. Reply: vector<ClientInfo> */
const whoAmIOperation: Operation<readonly ClientInfo[]> = {
  code: OpCode.whoAmI,
  name: "whoAmI",
  replayable: true,
  write() {},
  read: (reader) => WhoAmIResponse.read(reader).clients,
};

/** Reads the ACL of a znode. */
export function getAclRequest(path: string): Request<AclResult> {
  return new Request(getAclOperation, path);
}

/** Replaces the ACL of a znode. `version` is compared with `aversion`; -1 for any. */
export function setAclRequest(path: string, acl: readonly Acl[], version: number): Request<Stat> {
  return new Request(setAclOperation, path, null, version, acl);
}

/** Asks for the identities that the server holds for the connection. */
export function whoAmIRequest(): Request<readonly ClientInfo[]> {
  return new Request(whoAmIOperation, "/");
}
