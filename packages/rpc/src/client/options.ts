// SPDX-License-Identifier: Apache-2.0
import type { ServiceCallerOptions } from "@meerkat/governance";
import { InvalidArgumentError } from "@meerkat/runtime";
import { seedLimitDefaults } from "../protocol/seed/format.ts";
import type { UnknownReplyPolicy } from "../protocol/seed/reply-decoder.ts";

/** How a client keeps its connections. */
export interface ConnectionSettings {
  /** Longest wait for a connection to be accepted. Default 2,000. */
  readonly connectTimeoutMs: number;
  /**
   * Connections to one endpoint, and so calls in progress at one endpoint, since the seed's wire takes one
   * call at a time on a connection. Default 64; further calls wait for a free one.
   */
  readonly connectionsPerEndpointMax: number;
  /** Calls that may wait for a connection to one endpoint; further ones fail with `QUEUE_FULL`. Default 10,000. */
  readonly waitingPerEndpointMax: number;
  /** A connection without a call for this long is closed. Default 60,000; 0 makes a connection for each call. */
  readonly idleTimeoutMs: number;
  /** Longest text of an error that is accepted, in bytes. Default 64 KiB. */
  readonly errorTextBytesMax: number;
  /** A reply that is neither result nor error: a `PROTOCOL_ERROR`, or an error `text` as in the seed. Default `error`. */
  readonly unknownReply: UnknownReplyPolicy;
}

/** Values of the settings that are left out. */
export const connectionDefaults: ConnectionSettings = {
  connectTimeoutMs: 2_000,
  connectionsPerEndpointMax: 64,
  waitingPerEndpointMax: 10_000,
  idleTimeoutMs: 60_000,
  errorTextBytesMax: seedLimitDefaults.errorTextBytesMax,
  unknownReply: "error",
};

/**
 * Options of `createRpcClient`: those of the connections and those of `ServiceCaller`. The balancer is by
 * default a random one; endpoints that are down are probed by connecting to them.
 */
export interface RpcClientOptions extends Partial<ConnectionSettings>, ServiceCallerOptions {}

/** The settings in `options` over the defaults. Throws one `InvalidArgumentError` that names every fault. */
export function resolveConnectionSettings(options: Partial<ConnectionSettings>): ConnectionSettings {
  const settings: Record<string, unknown> = { ...connectionDefaults };
  const faults: string[] = [];
  for (const key of Object.keys(connectionDefaults) as (keyof ConnectionSettings)[]) {
    const value = options[key];
    if (value === undefined) continue;
    if (key === "unknownReply") {
      if (value !== "error" && value !== "text") faults.push("unknownReply is none of error, text");
    } else if (!Number.isSafeInteger(value) || (value as number) < (key === "idleTimeoutMs" ? 0 : 1)) {
      faults.push(`${key} is not a positive integer`);
    }
    settings[key] = value;
  }
  if (faults.length > 0) throw new InvalidArgumentError("options", faults.join("; "));
  return settings as unknown as ConnectionSettings;
}
