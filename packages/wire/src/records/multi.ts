// SPDX-License-Identifier: Apache-2.0
// Transactions (multi) and batched reads (multiRead): a list of operations, each behind a MultiHeader, up
// to a header that says done.
import type { JuteReader } from "../jute/reader.ts";
import type { JuteRecord } from "../jute/record.ts";
import type { JuteWriter } from "../jute/writer.ts";
import { OpCode } from "../op-code.ts";
import { type Stat, StatRecord } from "../stat.ts";
import { WireFormatError } from "../wire-format-error.ts";
import { CreateRequest, CreateTtlRequest } from "./create.ts";
import { DeleteRequest } from "./delete.ts";
import { readStrings, writeStrings } from "./get-children.ts";
import { ReadRequest } from "./read-request.ts";
import { SetDataRequest } from "./set-data.ts";

/** One operation of a request, told apart by `type` (an `OpCode`). */
export type MultiOperation =
  | ({
      readonly type: typeof OpCode.create | typeof OpCode.create2 | typeof OpCode.createContainer;
    } & CreateRequest)
  | ({ readonly type: typeof OpCode.createTTL } & CreateTtlRequest)
  | ({ readonly type: typeof OpCode.delete | typeof OpCode.check } & DeleteRequest)
  | ({ readonly type: typeof OpCode.setData } & SetDataRequest)
  | ({ readonly type: typeof OpCode.getData | typeof OpCode.getChildren } & ReadRequest);

/** One result, told apart by `type`, which the server chooses: 3.8 answers a create2 with type create. */
export type MultiResult =
  | { readonly type: typeof OpCode.create; readonly path: string }
  | {
      readonly type: typeof OpCode.create2 | typeof OpCode.createContainer | typeof OpCode.createTTL;
      readonly path: string;
      readonly stat: Stat;
    }
  | { readonly type: typeof OpCode.delete | typeof OpCode.check }
  | { readonly type: typeof OpCode.setData; readonly stat: Stat }
  | { readonly type: typeof OpCode.getData; readonly data: Buffer | null; readonly stat: Stat }
  | { readonly type: typeof OpCode.getChildren; readonly children: readonly string[] }
  | { readonly type: typeof OpCode.error; readonly err: number };

export interface MultiRequest {
  readonly operations: readonly MultiOperation[];
}

export interface MultiResponse {
  readonly results: readonly MultiResult[];
}

/** MultiHeader => type:int done:bool err:int */
function writeHeader(writer: JuteWriter, type: number, done: boolean, err: number): void {
  writer.int(type);
  writer.bool(done);
  writer.int(err);
}

/** Reads headers and items up to the one that says done. */
function readItems<T>(reader: JuteReader, readItem: (reader: JuteReader, type: number) => T): T[] {
  const items: T[] = [];
  for (;;) {
    const type = reader.int();
    const done = reader.bool();
    reader.int();
    if (done) return items;
    items.push(readItem(reader, type));
  }
}

function writeOperation(writer: JuteWriter, operation: MultiOperation): void {
  switch (operation.type) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
      CreateRequest.write(writer, operation);
      return;
    case OpCode.createTTL:
      CreateTtlRequest.write(writer, operation);
      return;
    case OpCode.delete:
    case OpCode.check:
      DeleteRequest.write(writer, operation);
      return;
    case OpCode.setData:
      SetDataRequest.write(writer, operation);
      return;
    case OpCode.getData:
    case OpCode.getChildren:
      ReadRequest.write(writer, operation);
  }
}

function readOperation(reader: JuteReader, type: number): MultiOperation {
  switch (type) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
      return { type, ...CreateRequest.read(reader) };
    case OpCode.createTTL:
      return { type, ...CreateTtlRequest.read(reader) };
    case OpCode.delete:
    case OpCode.check:
      return { type, ...DeleteRequest.read(reader) };
    case OpCode.setData:
      return { type, ...SetDataRequest.read(reader) };
    case OpCode.getData:
    case OpCode.getChildren:
      return { type, ...ReadRequest.read(reader) };
    default:
      throw new WireFormatError(`operation type ${type} in a multi`, reader.position);
  }
}

function writeResult(writer: JuteWriter, result: MultiResult): void {
  switch (result.type) {
    case OpCode.create:
      writer.ustring(result.path);
      return;
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
      writer.ustring(result.path);
      StatRecord.write(writer, result.stat);
      return;
    case OpCode.delete:
    case OpCode.check:
      return;
    case OpCode.setData:
      StatRecord.write(writer, result.stat);
      return;
    case OpCode.getData:
      writer.buffer(result.data);
      StatRecord.write(writer, result.stat);
      return;
    case OpCode.getChildren:
      writeStrings(writer, result.children);
      return;
    case OpCode.error:
      writer.int(result.err);
  }
}

function readResult(reader: JuteReader, type: number): MultiResult {
  switch (type) {
    case OpCode.create:
      return { type, path: reader.text() };
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
      return { type, path: reader.text(), stat: StatRecord.read(reader) };
    case OpCode.delete:
    case OpCode.check:
      return { type };
    case OpCode.setData:
      return { type, stat: StatRecord.read(reader) };
    case OpCode.getData:
      return { type, data: reader.buffer(), stat: StatRecord.read(reader) };
    case OpCode.getChildren:
      return { type, children: readStrings(reader) };
    case OpCode.error:
      return { type, err: reader.int() };
    default:
      throw new WireFormatError(`result type ${type} in a multi`, reader.position);
  }
}

/** MultiRequest => (MultiHeader operation)* {-1, true, -1} */
export const MultiRequest: JuteRecord<MultiRequest> = {
  write(writer, request) {
    for (const operation of request.operations) {
      writeHeader(writer, operation.type, false, -1);
      writeOperation(writer, operation);
    }
    writeHeader(writer, -1, true, -1);
  },
  read(reader) {
    return { operations: readItems(reader, readOperation) };
  },
};

/** MultiResponse => (MultiHeader result)* {-1, true, -1}; the header's err repeats that of an error result. */
export const MultiResponse: JuteRecord<MultiResponse> = {
  write(writer, response) {
    for (const result of response.results) {
      writeHeader(writer, result.type, false, result.type === OpCode.error ? result.err : 0);
      writeResult(writer, result);
    }
    writeHeader(writer, -1, true, -1);
  },
  read(reader) {
    return { results: readItems(reader, readResult) };
  },
};
