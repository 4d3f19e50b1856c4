// SPDX-License-Identifier: Apache-2.0
// The identities of a client (digest and the like), sent on every new connection before anything else.
import { type Deferred, deferred } from "@meerkat/runtime";
import { AuthPacket, ErrorCode, OpCode, Xid } from "@meerkat/wire";
import type { Connection } from "../connection/connection.ts";
import { ZooKeeperError } from "../errors.ts";

/** One identity. For `digest`, `auth` is `user:password`. */
export interface AuthInfo {
  readonly scheme: string;
  readonly auth: string | Uint8Array;
}

interface Entry {
  readonly scheme: string;
  readonly auth: Buffer;
  /** Callers of `add` who wait for the server's word. */
  readonly waiters: Deferred<void>[];
}

/** See the head of this file. */
export class AuthList {
  readonly #entries: Entry[] = [];
  /** Sent on the current connection and not answered yet; the server answers in order. */
  #sent: Entry[] = [];

  constructor(initial: readonly AuthInfo[]) {
    for (const info of initial) this.#entry(info);
  }

  /** Adds an identity and sends it; resolves when the server has taken it, now or on the next connection. */
  add(info: AuthInfo, connection: Connection | undefined): Promise<void> {
    const entry = this.#entry(info);
    const waiter = deferred<void>();
    entry.waiters.push(waiter);
    if (connection !== undefined) this.#send(entry, connection);
    return waiter.promise;
  }

  /** Sends all identities on a new connection. */
  sendAll(connection: Connection): void {
    this.#sent = [];
    for (const entry of this.#entries) this.#send(entry, connection);
  }

  /** The server's answer to the oldest packet; an error when it refused. */
  onReply(err: number): ZooKeeperError | undefined {
    const entry = this.#sent.shift();
    if (err === ErrorCode.OK) {
      for (const waiter of entry?.waiters.splice(0) ?? []) waiter.resolve();
      return undefined;
    }
    return new ZooKeeperError(
      "AUTH_FAILED",
      `the server refused the credentials of scheme ${entry?.scheme ?? "unknown"} (AUTH_FAILED)`,
      { context: { operation: "addAuth", serverCode: err } },
    );
  }

  /** Nobody will answer any more. */
  failWaiters(error: ZooKeeperError): void {
    for (const entry of this.#entries) for (const waiter of entry.waiters.splice(0)) waiter.reject(error);
  }

  #entry(info: AuthInfo): Entry {
    const auth = Buffer.from(info.auth as string);
    const known = this.#entries.find((each) => each.scheme === info.scheme && each.auth.equals(auth));
    if (known !== undefined) return known;
    const entry: Entry = { scheme: info.scheme, auth, waiters: [] };
    this.#entries.push(entry);
    return entry;
  }

  #send(entry: Entry, connection: Connection): void {
    const { writer } = connection;
    const frame = writer.beginFrame();
    writer.int(Xid.auth);
    writer.int(OpCode.auth);
    AuthPacket.write(writer, { type: 0, scheme: entry.scheme, auth: entry.auth });
    writer.endFrame(frame);
    this.#sent.push(entry);
    connection.scheduleFlush();
  }
}
