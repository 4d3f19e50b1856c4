// SPDX-License-Identifier: Apache-2.0
// Bytes of a snapshot:
//
//   header   "ZKSN" | int version = 2 | long dbid = -1
//   sessions int count | {long id, int timeout}*
//   ACLs     int count | {long ACL id, vector<ACL>}*
//   znodes   {ustring path | buffer data | long ACL id | stat}*, then ustring "/"
//   stat     long czxid mzxid ctime mtime | int version cversion aversion | long ephemeralOwner pzxid
//   seal     long Adler-32 of everything before it | ustring "/"
//   digest   long zxid | int version = 2 | long digest, then a seal       (ZooKeeper 3.6 and later)
//   zxid     long last processed zxid, then a seal                        (ZooKeeper 3.9 and later)
import type { Acl, JuteWriter } from "@meerkat/wire";
import type { SnapshotNode } from "../seam.ts";

/** "ZKSN". */
export const SNAPSHOT_MAGIC = 0x5a4b534e;
/** The only version there is. */
export const SNAPSHOT_VERSION = 2;
/** Length of the header. */
export const SNAPSHOT_HEADER_BYTES = 16;
/** A seal: the checksum and "/". */
export const SEAL_BYTES = 13;
/** "/" as a ustring: ends the znodes and every seal. */
export const END_MARK: Buffer = Buffer.from([0, 0, 0, 1, 0x2f]);
/** ZooKeeper's built-in ACL id for world:anyone with all permissions. */
export const OPEN_ACL_ID = -1;
/** Length of a znode's ACL id and stat, which follow its data. */
export const ACL_ID_AND_STAT_BYTES = 68;
/** Length of the stat alone. */
export const STAT_BYTES = 60;
/** Version of the digest, and length of its section without the seal. */
export const DIGEST_VERSION = 2;
export const DIGEST_SECTION_BYTES = 20;
/** Length of the section that ZooKeeper 3.9 adds, without the seal. */
export const ZXID_SECTION_BYTES = 8;

/** `ephemeralOwner` of a container, read as a signed long. */
export const CONTAINER_OWNER: bigint = -0x8000_0000_0000_0000n;
/** Top byte of the `ephemeralOwner` of a znode with a time to live; the rest is the time in ms. */
export const TTL_OWNER_MARK: bigint = 0xff00_0000_0000_0000n;

/** The stored `ephemeralOwner` of a znode with a time to live, as a signed long. */
export function ttlOwner(ttlMs: number): bigint {
  return BigInt.asIntN(64, TTL_OWNER_MARK | BigInt(ttlMs));
}

/** Whether the owner is a session, not the mark of a container or a time to live (and not nobody). */
export function isSessionOwner(owner: bigint): boolean {
  return owner !== 0n && owner !== CONTAINER_OWNER && BigInt.asUintN(64, owner) >> 56n !== 0xffn;
}

/** Writes a znode. */
export function writeSnapshotNode(writer: JuteWriter, node: SnapshotNode, aclId: number): void {
  writer.ustring(node.path);
  writer.buffer(node.data);
  writer.longNumber(aclId);
  writer.longNumber(node.czxid);
  writer.longNumber(node.mzxid);
  writer.longNumber(node.ctimeMs);
  writer.longNumber(node.mtimeMs);
  writer.int(node.version);
  writer.int(node.cversion);
  writer.int(node.aversion);
  if (node.ephemeralOwner === 0n) writer.longHalves(0, 0);
  else writer.long(node.ephemeralOwner);
  writer.longNumber(node.pzxid);
}

/**
 * The znode that lies in `bytes[start, end)`, its path ending at `pathEnd`; see `SnapshotVisitor.znode`.
 * `data` is a view. Written out field by field, since a start with a million znodes spends its time here.
 */
export function znodeAt(
  bytes: Buffer,
  start: number,
  pathEnd: number,
  end: number,
  acl: readonly Acl[] | null,
): SnapshotNode {
  const stat = end - STAT_BYTES;
  const hasData = bytes.readInt32BE(pathEnd) >= 0;
  const hasOwner = bytes.readInt32BE(stat + 44) !== 0 || bytes.readInt32BE(stat + 48) !== 0;
  return {
    path: bytes.toString("utf8", start + 4, pathEnd),
    data: hasData ? bytes.subarray(pathEnd + 4, end - ACL_ID_AND_STAT_BYTES) : null,
    acl,
    czxid: longAt(bytes, stat),
    mzxid: longAt(bytes, stat + 8),
    ctimeMs: longAt(bytes, stat + 16),
    mtimeMs: longAt(bytes, stat + 24),
    version: bytes.readInt32BE(stat + 32),
    cversion: bytes.readInt32BE(stat + 36),
    aversion: bytes.readInt32BE(stat + 40),
    // Most znodes have no owner; those cost no bigint.
    ephemeralOwner: hasOwner ? bytes.readBigInt64BE(stat + 44) : 0n,
    pzxid: longAt(bytes, stat + 52),
  };
}

/** The ACL id of the znode that ends at `end`. */
export function aclIdAt(bytes: Buffer, end: number): number {
  return longAt(bytes, end - ACL_ID_AND_STAT_BYTES);
}

/** A long below 2^53. */
function longAt(bytes: Buffer, offset: number): number {
  return bytes.readInt32BE(offset) * 0x1_0000_0000 + bytes.readUInt32BE(offset + 4);
}
