// SPDX-License-Identifier: Apache-2.0
// The first frame of a connection: a new session, or an old one that goes on.
import { ConnectRequest, ConnectResponse } from "@meerkat/wire";
import type { Engine } from "../requests/engine.ts";
import type { Session } from "../sessions/session.ts";
import { isSessionPassword, sessionPassword } from "../sessions/session-password.ts";
import type { ConnectThrottle } from "./connect-throttle.ts";

/** Bounds of what clients may ask for as session timeout, ms. */
export interface SessionBounds {
  readonly minTimeoutMs: number;
  readonly maxTimeoutMs: number;
}

/**
 * The outcome: a session, a refusal that was answered, or silence. `ahead` is a client that has seen a later
 * state than ours, `throttled` one too many at once, `readOnly` one that wants to write where nothing can be written: it must look for another
 * server, so it gets no answer at all.
 */
export type HandshakeOutcome =
  | { readonly kind: "session"; readonly session: Session }
  | { readonly kind: "refused" }
  | { readonly kind: "ahead"; readonly lastZxidSeen: bigint }
  | { readonly kind: "readOnly" }
  /** Too many handshakes at a time. */
  | { readonly kind: "throttled" };

/** Reads the request from the engine's reader, answers into its output. Throws `WireFormatError`. */
export function handshake(
  engine: Engine,
  bounds: SessionBounds,
  throttle: ConnectThrottle | undefined,
): HandshakeOutcome {
  const request = ConnectRequest.read(engine.reader);
  const kind = request.sessionId === 0n ? "new" : "renewed";
  if (throttle?.admits(kind, engine.nowMs) === false) return { kind: "throttled" };
  if (request.lastZxidSeen > BigInt(engine.lastZxid)) {
    return { kind: "ahead", lastZxidSeen: request.lastZxidSeen };
  }
  if (engine.failure !== undefined && request.readOnly !== true) return { kind: "readOnly" };
  const timeoutMs = Math.min(Math.max(request.timeoutMs, bounds.minTimeoutMs), bounds.maxTimeoutMs);
  const session =
    request.sessionId === 0n ? newSession(engine, timeoutMs) : reattach(engine, request, timeoutMs);
  const { out } = engine;
  const frame = out.beginFrame();
  ConnectResponse.write(out, {
    protocolVersion: 0,
    timeoutMs: session === undefined ? 0 : timeoutMs,
    sessionId: session?.id ?? 0n,
    password: session === undefined ? Buffer.alloc(16) : sessionPassword(session.id),
    // Clients from before read-only mode neither send the byte nor expect it.
    readOnly: request.readOnly === undefined ? undefined : engine.failure !== undefined,
  });
  out.endFrame(frame);
  return session === undefined ? { kind: "refused" } : { kind: "session", session };
}

function newSession(engine: Engine, timeoutMs: number): Session {
  return engine.failure === undefined
    ? engine.createSession(timeoutMs)
    : engine.createLocalSession(timeoutMs);
}

function reattach(engine: Engine, request: ConnectRequest, timeoutMs: number): Session | undefined {
  const session = engine.sessions.get(request.sessionId);
  // As in Apache, the old connection goes even when the password turns out wrong.
  session?.connection?.closeSoon("its session moved to another connection");
  if (session === undefined || session.state !== "open") return undefined;
  if (!isSessionPassword(session.id, request.password)) return undefined;
  engine.sessions.renegotiate(session, timeoutMs);
  return session;
}
