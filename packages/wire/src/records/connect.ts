// SPDX-License-Identifier: Apache-2.0
import type { JuteReader } from "../jute/reader.ts";
import type { JuteRecord } from "../jute/record.ts";

/** First frame of a connection, client to server. */
export interface ConnectRequest {
  readonly protocolVersion: number;
  readonly lastZxidSeen: bigint;
  readonly timeoutMs: number;
  /** 0n asks for a new session. */
  readonly sessionId: bigint;
  readonly password: Uint8Array | null;
  /** Undefined when the byte is missing, as in clients older than 3.4. */
  readonly readOnly: boolean | undefined;
}

/** First frame back. A refused session has `timeoutMs` 0 and `sessionId` 0n. */
export interface ConnectResponse {
  readonly protocolVersion: number;
  readonly timeoutMs: number;
  readonly sessionId: bigint;
  readonly password: Uint8Array | null;
  /** Undefined when the byte is missing: the request lacked it, or the server is older than 3.4. */
  readonly readOnly: boolean | undefined;
}

function readOptionalBool(reader: JuteReader): boolean | undefined {
  return reader.remaining > 0 ? reader.bool() : undefined;
}

/** ConnectRequest => protocolVersion:int lastZxidSeen:long timeOut:int sessionId:long passwd:buffer [readOnly:bool] */
export const ConnectRequest: JuteRecord<ConnectRequest> = {
  write(writer, request) {
    writer.int(request.protocolVersion);
    writer.long(request.lastZxidSeen);
    writer.int(request.timeoutMs);
    writer.long(request.sessionId);
    writer.buffer(request.password);
    if (request.readOnly !== undefined) writer.bool(request.readOnly);
  },
  read(reader) {
    return {
      protocolVersion: reader.int(),
      lastZxidSeen: reader.long(),
      timeoutMs: reader.int(),
      sessionId: reader.long(),
      password: reader.buffer(),
      readOnly: readOptionalBool(reader),
    };
  },
};

/** ConnectResponse => protocolVersion:int timeOut:int sessionId:long passwd:buffer [readOnly:bool] */
export const ConnectResponse: JuteRecord<ConnectResponse> = {
  write(writer, response) {
    writer.int(response.protocolVersion);
    writer.int(response.timeoutMs);
    writer.long(response.sessionId);
    writer.buffer(response.password);
    if (response.readOnly !== undefined) writer.bool(response.readOnly);
  },
  read(reader) {
    return {
      protocolVersion: reader.int(),
      timeoutMs: reader.int(),
      sessionId: reader.long(),
      password: reader.buffer(),
      readOnly: readOptionalBool(reader),
    };
  },
};
