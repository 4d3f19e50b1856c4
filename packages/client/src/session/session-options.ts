// SPDX-License-Identifier: Apache-2.0
import type { Runtime, TlsClientOptions } from "@meerkat/runtime";
import type { Chroot } from "../chroot.ts";
import type { HostList } from "../connection/host-list.ts";
import type { AuthInfo } from "./auth-list.ts";
import type { SaslMechanism } from "./sasl.ts";
import type { SessionCredentials } from "./session-identity.ts";
import type { SessionWatches } from "./session-watches.ts";

/** What a session needs; all limits are resolved. */
export interface SessionOptions {
  readonly runtime: Runtime;
  readonly hosts: HostList;
  readonly chroot: Chroot;
  readonly watches: SessionWatches;
  readonly tls: TlsClientOptions | undefined;
  readonly auth: readonly AuthInfo[];
  readonly sasl: SaslMechanism | undefined;
  readonly sessionTimeoutMs: number;
  readonly renewSession: boolean;
  readonly readOnly: boolean;
  readonly session: SessionCredentials | undefined;
  readonly connectTimeoutMs: number | undefined;
  readonly closeTimeoutMs: number;
  readonly reconnectDelayMs: { readonly initialMs: number; readonly maxMs: number };
  readonly requestTimeoutMs: number;
  readonly inFlightMax: number;
  readonly waitingMax: number;
  readonly requestBytesMax: number;
  readonly replyBytesMax: number;
  readonly paceReads: boolean;
}
