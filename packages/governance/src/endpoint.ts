// SPDX-License-Identifier: Apache-2.0
// What governance knows of a service: addresses with a weight, and immutable sets of them. Nothing here
// knows ZooKeeper or a transport.

/** One address where a service answers. Immutable; a change makes a new object. */
export interface Endpoint {
  /**
   * Stable name of the instance behind the address: the `id` it registered with, else `host:port`.
   * Consistent hashing keys on it, so it must survive a restart.
   */
  readonly id: string;
  /** Name or address to connect to (IPv6 without brackets). */
  readonly host: string;
  readonly port: number;
  /** Share of the load relative to the others; 1 when nothing was said. 0 takes no new calls. */
  readonly weight: number;
  /** The znode that said so, where there is one. A new path for an old address means a new life of it. */
  readonly path?: string | undefined;
  /** Everything else the instance published, as parsed JSON. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** All endpoints of a service at one moment. Never changes once handed out. */
export interface EndpointSet {
  /** Counts the published sets of one directory; a later set has a greater number. */
  readonly version: number;
  /** At most one endpoint for each `host:port`, in the order in which they appeared. */
  readonly endpoints: readonly Endpoint[];
  /** True while the source cannot vouch for the list: it is the last good one. */
  readonly stale: boolean;
}

/** The difference between two sets of one directory. */
export interface DirectoryChange {
  readonly added: readonly Endpoint[];
  readonly removed: readonly Endpoint[];
  /** Same `host:port`, new weight, metadata, id or path: the new values. */
  readonly changed: readonly Endpoint[];
  /** The set after the change. */
  readonly set: EndpointSet;
  /** The set before it. */
  readonly previous: EndpointSet;
}

/** The key that tells endpoints apart: `host:port`. */
export function endpointKey(endpoint: { readonly host: string; readonly port: number }): string {
  return `${endpoint.host}:${endpoint.port}`;
}

/** A set with nothing in it, version 0. */
export const emptyEndpointSet: EndpointSet = Object.freeze({
  version: 0,
  endpoints: Object.freeze([]),
  stale: false,
});

/** Weight used for an endpoint that says nothing usable about it. */
export const WEIGHT_DEFAULT = 1;

/** Checks and completes what a user gives as an endpoint. Throws `RangeError` for an impossible one. */
export function endpoint(fields: {
  readonly host: string;
  readonly port: number;
  readonly id?: string | undefined;
  readonly weight?: number | undefined;
  readonly path?: string | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}): Endpoint {
  const { host, port, weight = WEIGHT_DEFAULT } = fields;
  if (host.length === 0) throw new RangeError("an endpoint needs a host");
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new RangeError(`the port of ${host} must be an integer from 1 to 65535, got ${port}`);
  }
  if (!Number.isFinite(weight) || weight < 0) {
    throw new RangeError(`the weight of ${host}:${port} must be 0 or more, got ${weight}`);
  }
  return Object.freeze({
    id: fields.id ?? `${host}:${port}`,
    host,
    port,
    weight,
    ...(fields.path === undefined ? {} : { path: fields.path }),
    metadata: fields.metadata ?? {},
  });
}

/** Whether two endpoints say the same, metadata included. */
export function sameEndpoint(left: Endpoint, right: Endpoint): boolean {
  if (left === right) return true;
  return (
    left.host === right.host &&
    left.port === right.port &&
    left.id === right.id &&
    left.weight === right.weight &&
    left.path === right.path &&
    (left.metadata === right.metadata || JSON.stringify(left.metadata) === JSON.stringify(right.metadata))
  );
}

/** Compares two sets by `host:port`. Work in proportion to their sizes. */
export function endpointDifference(previous: EndpointSet, set: EndpointSet): DirectoryChange {
  const before = new Map(previous.endpoints.map((entry) => [endpointKey(entry), entry]));
  const added: Endpoint[] = [];
  const changed: Endpoint[] = [];
  for (const entry of set.endpoints) {
    const key = endpointKey(entry);
    const old = before.get(key);
    if (old === undefined) added.push(entry);
    else if (!sameEndpoint(old, entry)) changed.push(entry);
    before.delete(key);
  }
  return { added, removed: [...before.values()], changed, set, previous };
}
