// SPDX-License-Identifier: Apache-2.0
import { type Acl, readAcls, writeAcls } from "../acl.ts";
import type { JuteRecord } from "../jute/record.ts";
import { type Stat, StatRecord } from "../stat.ts";

/** `flags` of a create (CreateMode). */
export const CreateFlag = {
  persistent: 0,
  ephemeral: 1,
  persistentSequential: 2,
  ephemeralSequential: 3,
  container: 4,
  persistentTtl: 5,
  persistentSequentialTtl: 6,
} as const;

export interface CreateRequest {
  readonly path: string;
  readonly data: Uint8Array | null;
  readonly acl: readonly Acl[] | null;
  /** A `CreateFlag`. */
  readonly flags: number;
}

export interface CreateTtlRequest extends CreateRequest {
  readonly ttlMs: bigint;
}

export interface CreateResponse {
  /** The path made, with the sequence suffix. */
  readonly path: string;
}

export interface Create2Response extends CreateResponse {
  readonly stat: Stat;
}

/** CreateRequest => path:ustring data:buffer acl:vector<ACL> flags:int (ops create, create2, createContainer) */
export const CreateRequest: JuteRecord<CreateRequest> = {
  write(writer, request) {
    writer.ustring(request.path);
    writer.buffer(request.data);
    writeAcls(writer, request.acl);
    writer.int(request.flags);
  },
  read(reader) {
    return { path: reader.text(), data: reader.buffer(), acl: readAcls(reader), flags: reader.int() };
  },
};

/** CreateTTLRequest => CreateRequest ttl:long (ms) */
export const CreateTtlRequest: JuteRecord<CreateTtlRequest> = {
  write(writer, request) {
    CreateRequest.write(writer, request);
    writer.long(request.ttlMs);
  },
  read(reader) {
    const { path, data, acl, flags } = CreateRequest.read(reader);
    return { path, data, acl, flags, ttlMs: reader.long() };
  },
};

/** CreateResponse => path:ustring */
export const CreateResponse: JuteRecord<CreateResponse> = {
  write(writer, response) {
    writer.ustring(response.path);
  },
  read(reader) {
    return { path: reader.text() };
  },
};

/** Create2Response => path:ustring stat:Stat */
export const Create2Response: JuteRecord<Create2Response> = {
  write(writer, response) {
    writer.ustring(response.path);
    StatRecord.write(writer, response.stat);
  },
  read(reader) {
    return { path: reader.text(), stat: StatRecord.read(reader) };
  },
};
