// SPDX-License-Identifier: Apache-2.0
import type { JuteRecord } from "../jute/record.ts";

/** Adds an identity to the connection (xid -4). */
export interface AuthPacket {
  readonly type: number;
  readonly scheme: string;
  /** For `digest`: `user:password` in UTF-8. Never logged. */
  readonly auth: Uint8Array | null;
}

/** One token of a SASL exchange, either way. */
export interface SaslToken {
  readonly token: Uint8Array | null;
}

/** An identity that the server holds for the connection. */
export interface ClientInfo {
  readonly scheme: string;
  readonly user: string;
}

export interface WhoAmIResponse {
  readonly clients: readonly ClientInfo[];
}

/** AuthPacket => type:int scheme:ustring auth:buffer. The reply has no body. */
export const AuthPacket: JuteRecord<AuthPacket> = {
  write(writer, packet) {
    writer.int(packet.type);
    writer.ustring(packet.scheme);
    writer.buffer(packet.auth);
  },
  read(reader) {
    return { type: reader.int(), scheme: reader.text(), auth: reader.buffer() };
  },
};

/** GetSASLRequest, SetSASLResponse => token:buffer */
export const SaslToken: JuteRecord<SaslToken> = {
  write(writer, record) {
    writer.buffer(record.token);
  },
  read(reader) {
    return { token: reader.buffer() };
  },
};

/** WhoAmIResponse => clientInfo:vector<{authScheme:ustring user:ustring}> */
export const WhoAmIResponse: JuteRecord<WhoAmIResponse> = {
  write(writer, response) {
    writer.vector(response.clients, (item, client) => {
      item.ustring(client.scheme);
      item.ustring(client.user);
    });
  },
  read(reader) {
    return {
      clients: reader.vector(8, (item) => ({ scheme: item.text(), user: item.text() })) ?? [],
    };
  },
};
