// SPDX-License-Identifier: Apache-2.0

/** What a server has done since it started. Counters only grow; `connections` and `inFlight` are of now. */
export interface RpcServerStats {
  /** Open connections. */
  connections: number;
  /** Handlers that are running. */
  inFlight: number;
  connectionsAccepted: number;
  /** Closed at once because `connectionsMax` was reached. */
  connectionsRejected: number;
  /** Closed after `idleTimeoutMs`. */
  connectionsIdleClosed: number;
  /** Whole requests received. */
  requests: number;
  /** Replies with a result. */
  results: number;
  /** Replies with an error that a handler threw on purpose. */
  declaredErrors: number;
  /** Handlers that failed otherwise, or returned what is no result. */
  internalErrors: number;
  unknownMethods: number;
  badArguments: number;
  /** Connections dropped because their bytes were not the wire's. */
  formatErrors: number;
  /** Connections that ended inside a request. */
  truncatedRequests: number;
  /** Calls whose client was gone before the reply. */
  abandoned: number;
}

/** All counters at zero. */
export function zeroStats(): RpcServerStats {
  return {
    connections: 0,
    inFlight: 0,
    connectionsAccepted: 0,
    connectionsRejected: 0,
    connectionsIdleClosed: 0,
    requests: 0,
    results: 0,
    declaredErrors: 0,
    internalErrors: 0,
    unknownMethods: 0,
    badArguments: 0,
    formatErrors: 0,
    truncatedRequests: 0,
    abandoned: 0,
  };
}
