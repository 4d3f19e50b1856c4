// SPDX-License-Identifier: Apache-2.0
import { UsageError } from "./usage-error.ts";

/** Port of a server that is named without one. */
const DEFAULT_PORT = 2181;

/** A server's address. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** The parts of a connect string. */
export interface Hosts {
  readonly servers: readonly HostPort[];
  /** The servers as they were written, without the chroot. */
  readonly serversText: string;
  /** `""` or a path without a slash at its end. */
  readonly chroot: string;
}

/** Splits `HOST:PORT[,…][/CHROOT]`; IPv6 addresses stand in brackets. */
export function parseHosts(text: string): Hosts {
  const slash = text.indexOf("/");
  const serversText = slash < 0 ? text : text.slice(0, slash);
  const chroot = slash < 0 ? "" : text.slice(slash).replace(/\/+$/, "");
  const servers = serversText.split(",").map((server) => {
    const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+))(?::(\d{1,5}))?$/.exec(server.trim());
    const host = match?.[1] ?? match?.[2];
    const port = match?.[3] === undefined ? DEFAULT_PORT : Number(match[3]);
    if (host === undefined || port < 1 || port > 65_535) {
      throw new UsageError(`"${server}" is no server: write HOST:PORT, and [ADDRESS]:PORT for IPv6`);
    }
    return { host, port };
  });
  return { servers, serversText, chroot };
}
