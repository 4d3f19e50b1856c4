// SPDX-License-Identifier: Apache-2.0
// A server of a service, and how it is shown.
import type { Endpoint } from "@meerkat/governance";
import { printable } from "../output/data.ts";

/** A live server and the service it belongs to. */
export interface LiveServer {
  readonly service: string;
  readonly endpoint: Endpoint;
}

/** By service, then by address. */
export function sorted(servers: readonly LiveServer[]): LiveServer[] {
  const key = ({ service, endpoint }: LiveServer): string => `${service} ${endpoint.host} ${endpoint.port}`;
  return [...servers].sort((left, right) => key(left).localeCompare(key(right), "en", { numeric: true }));
}

/** The columns of a server's line. */
export function serverRow({ service, endpoint }: LiveServer): string[] {
  const { host, port, weight, path = "" } = endpoint;
  return [service, `${host}:${port}`, String(weight), path].map(printable);
}

/** The shape of a server in `--json`. */
export function serverJson({ service, endpoint }: LiveServer): Record<string, unknown> {
  const { host, port, id, weight, path = null, metadata } = endpoint;
  return { service, host, port, id, weight, path, metadata };
}
