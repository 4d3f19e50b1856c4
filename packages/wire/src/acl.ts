// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import type { JuteReader } from "./jute/reader.ts";
import type { JuteRecord } from "./jute/record.ts";
import type { JuteWriter } from "./jute/writer.ts";

/** Permission bits of an ACL entry (ZooDefs.Perms). */
export const Permission = { READ: 1, WRITE: 2, CREATE: 4, DELETE: 8, ADMIN: 16, ALL: 31 } as const;

/** One entry of an access control list: who (`scheme`, `id`) may do what (`permissions`, bits). */
export interface Acl {
  readonly permissions: number;
  readonly scheme: string;
  readonly id: string;
}

/** Everyone may do everything (`world:anyone:cdrwa`). */
export const OPEN_ACL: readonly Acl[] = [{ permissions: Permission.ALL, scheme: "world", id: "anyone" }];
/** Everyone may read, nobody may write. */
export const READ_ONLY_ACL: readonly Acl[] = [
  { permissions: Permission.READ, scheme: "world", id: "anyone" },
];
/** Whoever is authenticated on the creating connection may do everything. */
export const CREATOR_ALL_ACL: readonly Acl[] = [{ permissions: Permission.ALL, scheme: "auth", id: "" }];

/** The id that the digest scheme stores for a user: `user:base64(sha1("user:password"))`. */
export function digestId(user: string, password: string): string {
  const hash = createHash("sha1").update(`${user}:${password}`).digest("base64");
  return `${user}:${hash}`;
}

/** Fewest bytes of an entry: an int and two lengths. */
const ACL_BYTES_MIN = 12;

/** ACL => perms:int scheme:ustring id:ustring */
export const AclRecord: JuteRecord<Acl> = {
  write(writer, acl) {
    writer.int(acl.permissions);
    writer.ustring(acl.scheme);
    writer.ustring(acl.id);
  },
  read(reader) {
    return { permissions: reader.int(), scheme: reader.text(), id: reader.text() };
  },
};

/** vector<ACL>; null and empty are different on the wire and both invalid in a request. */
export function writeAcls(writer: JuteWriter, acls: readonly Acl[] | null): void {
  writer.vector(acls, AclRecord.write);
}

/** See `writeAcls`. */
export function readAcls(reader: JuteReader): Acl[] | null {
  return reader.vector(ACL_BYTES_MIN, AclRecord.read);
}
