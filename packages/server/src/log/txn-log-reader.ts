// SPDX-License-Identifier: Apache-2.0
// Reads one transaction log. What is accepted and what refused follows ZooKeeper 3.8, except that damage
// in the middle, which ZooKeeper can take for the end, is refused here.
import type { FileStore, OpenFile } from "@meerkat/runtime";
import { JuteReader, JuteWriter, type Txn, TxnHeader, WireFormatError } from "@meerkat/wire";
import { adler32 } from "./adler32.ts";
import { ByteWindow, fileSource } from "./byte-source.ts";
import type { LogFile } from "./file-names.ts";
import { classifyBadRecord, endOfContent } from "./log-damage.ts";
import { REPAIR_ADVICE, StorageError } from "./storage-error.ts";
import {
  LOG_HEADER_BYTES,
  LOG_MAGIC,
  LOG_VERSION,
  PAYLOAD_BYTES_MAX,
  RECORD_END,
  RECORD_PREFIX_BYTES,
  readLoggedTxn,
  writeLogHeader,
} from "./txn-record.ts";

/** How a log ended. */
export interface LogEnd {
  /**
   * `clean` zeros or nothing after the last record; `torn` part of a record, which was never acknowledged;
   * `headless` not even a header was written.
   */
  readonly kind: "clean" | "torn" | "headless";
  /** Offset behind the last whole record. */
  readonly offset: number;
  /** Whole records in the file, also those that were skipped. */
  readonly records: number;
  /** zxid of the last one; 0 without any. */
  readonly lastZxid: number;
}

/** Takes a record. The buffers in `txn` are valid until it returns. */
export type TxnVisitor = (header: TxnHeader, txn: Txn, offset: number) => void;

/**
 * Reads all records above `afterZxid` in order. Rejects with `LOG_DAMAGED`, naming file and offset, when a
 * record is neither whole nor a torn end; the records before it have been visited then.
 */
export async function readTxnLog(
  files: FileStore,
  log: LogFile,
  afterZxid: number,
  visit: TxnVisitor,
): Promise<LogEnd> {
  const file = await files.open(log.path, "read");
  try {
    const fileBytes = await file.size();
    const window = new ByteWindow(fileSource(file));
    const whole = await window.need(LOG_HEADER_BYTES);
    if (!whole || window.bytes.readInt32BE(0) !== LOG_MAGIC || window.bytes.readInt32BE(4) !== LOG_VERSION) {
      if (await isTornHeader(file, fileBytes))
        return { kind: "headless", offset: 0, records: 0, lastZxid: 0 };
      throw damaged(log, 0, "it does not begin with ZooKeeper's log header");
    }
    window.start += LOG_HEADER_BYTES;
    const scan = new RecordScan(log, window, afterZxid, visit);
    while (scan.readWindow()) {
      // Everything at hand is read; get more, at least the record that is cut by the window's end.
      if (!(await window.need(scan.wanted))) break;
    }
    const { records, lastZxid } = scan;
    const offset = window.position;
    const found = await classifyBadRecord(file, offset, fileBytes);
    if (found.kind === "damaged") throw damaged(log, offset, found.reason);
    return { kind: found.kind, offset, records, lastZxid };
  } finally {
    await file.close();
  }
}

/** Whether the file is a log's header that did not get to the disk as a whole, and nothing more. */
async function isTornHeader(file: OpenFile, fileBytes: number): Promise<boolean> {
  const end = await endOfContent(file, 0, fileBytes);
  if (end > LOG_HEADER_BYTES) return false;
  const writer = new JuteWriter(LOG_HEADER_BYTES);
  writeLogHeader(writer);
  const found = Buffer.alloc(end);
  await file.read(found, 0);
  return found.equals(writer.take().subarray(0, end));
}

function damaged(log: LogFile, offset: number, reason: string, cause?: unknown): StorageError {
  return new StorageError(
    "LOG_DAMAGED",
    `the transaction log ${log.path} is damaged at byte ${offset}: ${reason}; ${REPAIR_ADVICE}`,
    { path: log.path, offset },
    { cause },
  );
}

/** The synchronous part: all whole records in the window. */
class RecordScan {
  records = 0;
  lastZxid = 0;
  /** Bytes needed to go on. */
  wanted: number = RECORD_PREFIX_BYTES;
  readonly #log: LogFile;
  readonly #window: ByteWindow;
  readonly #afterZxid: number;
  readonly #visit: TxnVisitor;
  readonly #reader = new JuteReader(Buffer.alloc(0));

  constructor(log: LogFile, window: ByteWindow, afterZxid: number, visit: TxnVisitor) {
    this.#log = log;
    this.#window = window;
    this.#afterZxid = afterZxid;
    this.#visit = visit;
  }

  /** Reads records until the window holds no whole one; false when what follows is not a record. */
  readWindow(): boolean {
    const window = this.#window;
    for (;;) {
      this.wanted = RECORD_PREFIX_BYTES;
      if (window.available < RECORD_PREFIX_BYTES) return true;
      const { bytes, start } = window;
      const length = bytes.readInt32BE(start + 8);
      if (length <= 0 || length > PAYLOAD_BYTES_MAX || bytes.readInt32BE(start) !== 0) return false;
      this.wanted = RECORD_PREFIX_BYTES + length + 1;
      if (window.available < this.wanted) return true;
      const payload = start + RECORD_PREFIX_BYTES;
      const end = payload + length;
      if (bytes[end] !== RECORD_END) return false;
      if (adler32(bytes, payload, end) !== bytes.readUInt32BE(start + 4)) return false;
      this.#take(payload, end);
      window.start = end + 1;
    }
  }

  #take(start: number, end: number): void {
    const { bytes, position } = this.#window;
    const reader = this.#reader;
    reader.reset(bytes, start, end);
    try {
      const header = TxnHeader.read(reader);
      this.records++;
      this.lastZxid = header.zxid;
      if (header.zxid <= this.#afterZxid) return;
      const txn = readLoggedTxn(reader, bytes.subarray(start, end), header.type);
      this.#visit(header, txn, position);
    } catch (error) {
      if (!(error instanceof WireFormatError)) throw error;
      throw damaged(this.#log, position, `its transaction cannot be read: ${error.message}`, error);
    }
  }
}
