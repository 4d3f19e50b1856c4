// SPDX-License-Identifier: Apache-2.0
// All `node:diagnostics_channel` channels of the client, in one place. Publishing costs nothing while
// nobody subscribes. Messages hold no data, passwords or auth.
import diagnosticsChannel, { type Channel } from "node:diagnostics_channel";

/** Message of `meerkat:client:state`. */
export interface StateMessage {
  readonly client: object;
  readonly from: string;
  readonly to: string;
  readonly sessionId: bigint;
}

/** Message of `meerkat:client:connect`: one attempt. */
export interface ConnectMessage {
  readonly client: object;
  readonly host: string;
  /** Undefined when the server took the session. */
  readonly error: Error | undefined;
}

/** Message of `meerkat:client:session`. */
export interface SessionMessage {
  readonly client: object;
  readonly sessionId: bigint;
  /** `lost` names what went with it: how many requests were dropped. */
  readonly event: "established" | "resumed" | "lost" | "closed";
  readonly reason: Error | undefined;
  readonly droppedRequests: number;
}

/** Message of `meerkat:client:request`: a settled request. */
export interface RequestMessage {
  readonly operation: string;
  /** The server's path, chroot included. */
  readonly path: string;
  /** Milliseconds from the write to the reply, 0 for one that was not sent. */
  readonly durationMs: number;
  readonly error: Error | undefined;
}

/** Message of `meerkat:client:watch`: an event from the server. */
export interface WatchMessage {
  readonly type: string;
  /** The server's path, chroot included. */
  readonly path: string;
  /** Listeners it goes to. */
  readonly listeners: number;
}

const stateChannel: Channel = diagnosticsChannel.channel("meerkat:client:state");
const connectChannel: Channel = diagnosticsChannel.channel("meerkat:client:connect");
const sessionChannel: Channel = diagnosticsChannel.channel("meerkat:client:session");
/** Settled requests. On the hot path: look at `hasSubscribers` before making a message. */
export const requestChannel: Channel = diagnosticsChannel.channel("meerkat:client:request");
/** Events of watches; as above. */
export const watchChannel: Channel = diagnosticsChannel.channel("meerkat:client:watch");

/** A client changed its state. */
export function publishState(message: StateMessage): void {
  if (stateChannel.hasSubscribers) stateChannel.publish(message);
}

/** An attempt to connect ended. */
export function publishConnect(message: ConnectMessage): void {
  if (connectChannel.hasSubscribers) connectChannel.publish(message);
}

/** A session began, went on, or ended. */
export function publishSession(message: SessionMessage): void {
  if (sessionChannel.hasSubscribers) sessionChannel.publish(message);
}
