// SPDX-License-Identifier: Apache-2.0
// The states of a client and the moves between them.

/**
 * Where the client stands. `idle`: not started. `connecting`: no session yet, looking for a server.
 * `connected`: the session lives. `readOnly`: connected to a server that takes no writes. `suspended`:
 * the connection is lost, the session may live on; whoever relies on it must stop acting. `expired`: the
 * session is gone with its ephemeral znodes. `authFailed`: the credentials were refused; final. `closed`:
 * final.
 */
export type ClientState =
  | "idle"
  | "connecting"
  | "connected"
  | "readOnly"
  | "suspended"
  | "expired"
  | "authFailed"
  | "closed";

const moves: Readonly<Record<ClientState, readonly ClientState[]>> = {
  idle: ["connecting", "closed"],
  connecting: ["connected", "readOnly", "expired", "authFailed", "closed"],
  connected: ["suspended", "expired", "authFailed", "closed"],
  readOnly: ["suspended", "expired", "authFailed", "closed"],
  suspended: ["connected", "readOnly", "expired", "authFailed", "closed"],
  expired: ["connecting", "closed"],
  authFailed: ["closed"],
  closed: [],
};

/** True when the second state may follow the first. */
export function canMove(from: ClientState, to: ClientState): boolean {
  return moves[from].includes(to);
}

/** True when requests are answered. */
export function isConnected(state: ClientState): boolean {
  return state === "connected" || state === "readOnly";
}
