// SPDX-License-Identifier: Apache-2.0
// Bytes of a transaction log:
//
//   header  "ZKLG" | int version = 2 | long dbid = 0
//   record  long Adler-32 of the payload | int length | payload | 'B'
//   payload TxnHeader | body | [int digest version, long digest of the tree]
//   padding zeros up to the end of the file
import { type JuteReader, JuteWriter, OpCode, readTxn, type Txn, TxnHeader, writeTxn } from "@meerkat/wire";
import { adler32 } from "./adler32.ts";

/** Length of the file's header. */
export const LOG_HEADER_BYTES = 16;
/** "ZKLG". */
export const LOG_MAGIC = 0x5a4b4c47;
/** The only version there is. */
export const LOG_VERSION = 2;
/** Bytes before the payload: checksum and length. */
export const RECORD_PREFIX_BYTES = 12;
/** Ends every record. */
export const RECORD_END = 0x42;
/** Fewest bytes of a payload: a TxnHeader and an int. */
export const PAYLOAD_BYTES_MIN = 36;
/**
 * Longest payload that is believed. Apache ZooKeeper reads at most 2 MiB unless `jute.maxbuffer` is raised,
 * so this bounds what a damaged length can make us read, not what is written.
 */
export const PAYLOAD_BYTES_MAX: number = 64 * 1024 * 1024;

/** Bytes of the optional digest that follows a transaction's body. */
const DIGEST_BYTES = 12;

/** Begins a log file. */
export function writeLogHeader(writer: JuteWriter): void {
  writer.int(LOG_MAGIC);
  writer.int(LOG_VERSION);
  writer.longHalves(0, 0);
}

/** Appends a record whose checksum is still zero; `sealRecords` fills it in. */
export function writeRecord(writer: JuteWriter, header: TxnHeader, txn: Txn): void {
  writer.longHalves(0, 0);
  const frame = writer.beginFrame();
  TxnHeader.write(writer, header);
  writeTxn(writer, storedForm(txn));
  writer.endFrame(frame);
  writer.byte(RECORD_END);
}

/**
 * ZooKeeper logs a create2 inside a multi as a create, and when it replays a multi it drops all of it at a
 * create2. Their effect is the same.
 */
function storedForm(txn: Txn): Txn {
  if (txn.type !== OpCode.multi || !txn.txns.some(({ type }) => type === OpCode.create2)) return txn;
  const txns = txn.txns.map((inner) =>
    inner.type === OpCode.create2 ? { ...inner, type: OpCode.create } : inner,
  );
  return { type: OpCode.multi, txns };
}

/** Fills in the checksums of the records that lie back to back in `bytes` from `start` on. */
export function sealRecords(bytes: Buffer, start: number): void {
  let offset = start;
  while (offset < bytes.length) {
    const payload = offset + RECORD_PREFIX_BYTES;
    const end = payload + bytes.readInt32BE(offset + 8);
    bytes.writeUInt32BE(adler32(bytes, payload, end), offset + 4);
    offset = end + 1;
  }
}

/** A record as it lies in `bytes` at `offset`, for tests and tools. */
export function encodeRecord(header: TxnHeader, txn: Txn): Buffer {
  const writer = new JuteWriter(256);
  writeRecord(writer, header, txn);
  const bytes = writer.take();
  sealRecords(bytes, 0);
  return bytes;
}

/** Reads the transaction after its header. Buffers are views. Throws `WireFormatError`. */
export function readLoggedTxn(reader: JuteReader, payload: Buffer, type: number): Txn {
  if (type === OpCode.closeSession && reader.remaining === DIGEST_BYTES) {
    // Servers with closeSessionTxn.enabled=false write no list of paths, so what follows is the digest. A
    // real list of this length would hold two empty paths, which no session can own.
    const start = reader.position;
    if (payload.readInt32BE(start) === 2) return { type, paths: [] };
  }
  return readTxn(reader, type);
}
