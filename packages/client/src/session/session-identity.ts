// SPDX-License-Identifier: Apache-2.0
// What a client shows a server to be let in: session id, password, and the last zxid it saw.
import type { ConnectRequest } from "@meerkat/wire";

const PASSWORD_BYTES = 16;

/** What it takes to go on with a session elsewhere. Whoever has it owns the session: keep it secret. */
export interface SessionCredentials {
  readonly id: bigint;
  readonly password: Buffer;
}

/** Identity of the current session; without one, id 0n asks for a new session. */
export class SessionIdentity {
  #id = 0n;
  #password: Buffer = Buffer.alloc(PASSWORD_BYTES);
  // As halves: it changes with every reply, and a bigint each time would cost more than the rest.
  #zxidHigh = 0;
  #zxidLow = 0;

  constructor(credentials: SessionCredentials | undefined) {
    if (credentials !== undefined) this.set(credentials.id, credentials.password);
  }

  /** 0n when there is no session. */
  get id(): bigint {
    return this.#id;
  }

  /** Undefined when there is no session. */
  get credentials(): SessionCredentials | undefined {
    return this.#id === 0n ? undefined : { id: this.#id, password: Buffer.from(this.#password) };
  }

  /** The last zxid seen: no server that is behind it will do. */
  get lastZxid(): bigint {
    return (BigInt(this.#zxidHigh) << 32n) | BigInt(this.#zxidLow >>> 0);
  }

  /** Takes over what a server granted. The password is copied. */
  set(id: bigint, password: Uint8Array | null): void {
    this.#id = id;
    this.#password = Buffer.from(password ?? []);
  }

  /** The session is over. The last zxid stays: a new session must not go back in time either. */
  clear(): void {
    this.#id = 0n;
    this.#password = Buffer.alloc(PASSWORD_BYTES);
  }

  /** Notes the zxid of a reply. Those without one carry 0 or -1. */
  sawZxid(high: number, low: number): void {
    if (high > 0 || (high === 0 && low !== 0)) {
      this.#zxidHigh = high;
      this.#zxidLow = low;
    }
  }

  /** Accepts servers with any data again. */
  forgetZxid(): void {
    this.#zxidHigh = this.#zxidLow = 0;
  }

  /** The first frame. `fresh` asks for a new session all the same. */
  connectRequest(options: {
    readonly timeoutMs: number;
    readonly readOnly: boolean;
    readonly fresh: boolean;
  }): ConnectRequest {
    return {
      protocolVersion: 0,
      lastZxidSeen: this.lastZxid,
      timeoutMs: options.timeoutMs,
      sessionId: options.fresh ? 0n : this.#id,
      password: options.fresh ? Buffer.alloc(PASSWORD_BYTES) : this.#password,
      readOnly: options.readOnly,
    };
  }
}
