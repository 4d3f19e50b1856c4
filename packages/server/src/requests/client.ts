// SPDX-License-Identifier: Apache-2.0
// What request processing needs of a connection. The network's connection implements it; nothing here knows
// sockets.
import type { Session, SessionConnection } from "../sessions/session.ts";
import type { Identity } from "../tree/access.ts";
import type { Watcher } from "../tree/watch-table.ts";
import type { DigestMd5Exchange } from "./sasl-digest-md5.ts";

/** A connection with a session, as request processing sees it. */
export interface Client extends Watcher, SessionConnection {
  /** Grows by auth packets; replaced, never changed in place. */
  identities: readonly Identity[];
  readonly session: Session;
  readonly remoteAddress: string;
  /** The last request's xid and operation, for `cons`. */
  lastXid: number;
  lastOperation: number;
  /** The SASL exchange in progress. */
  sasl: DigestMd5Exchange | undefined;
  /** Whole frames to send after everything queued so far. The bytes may be shared; nobody changes them. */
  queue(frames: Buffer): void;
}
