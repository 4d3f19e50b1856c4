// SPDX-License-Identifier: Apache-2.0
// The servers of an ensemble as the user names them, and the order in which they are tried. Names are kept
// as names: they are resolved anew for every attempt.
import { InvalidArgumentError, type Random, randomInt } from "@meerkat/runtime";
import { pathProblem } from "@meerkat/wire";

/** Port of a server given without one. */
const PORT_DEFAULT = 2181;
/** More servers than any ensemble has. */
const HOSTS_MAX = 256;

/** One server as the user named it. */
export interface HostAddress {
  /** Name or address; IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/** A parsed connect string. */
export interface ConnectString {
  readonly hosts: readonly HostAddress[];
  /** Path behind the hosts, or "". */
  readonly chroot: string;
}

/** `host:port`, with brackets around IPv6. */
export function formatHost(address: HostAddress): string {
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

function parseHost(text: string): HostAddress {
  const match = /^(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\s[\]:/]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? PORT_DEFAULT : Number(match[3]);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new InvalidArgumentError(
      "hosts",
      `"${text}" is not host:port (IPv6 needs brackets, as in [::1]:2181; ports are 1 to 65535)`,
    );
  }
  return { host, port };
}

/** Parses `host:port,host:port/chroot`. Throws `InvalidArgumentError`. */
export function parseConnectString(text: string): ConnectString {
  const slash = text.indexOf("/");
  const list = slash < 0 ? text : text.slice(0, slash);
  const chroot = slash < 0 || slash === text.length - 1 ? "" : text.slice(slash);
  const problem = chroot === "" ? undefined : pathProblem(chroot);
  if (problem !== undefined) {
    throw new InvalidArgumentError("hosts", `the chroot ${chroot} behind the hosts ${problem}`);
  }
  const hosts = list
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map(parseHost);
  if (hosts.length === 0 || hosts.length > HOSTS_MAX) {
    throw new InvalidArgumentError("hosts", `between 1 and ${HOSTS_MAX} hosts are needed, got "${text}"`);
  }
  return { hosts, chroot };
}

/** True for an address, which needs no resolving. */
export function isAddress(host: string): boolean {
  return host.includes(":") || /^\d{1,3}(\.\d{1,3}){3}$/.test(host);
}

/** A shuffled copy (Fisher and Yates). */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items];
  for (let index = result.length - 1; index > 0; index--) {
    const other = randomInt(random, index + 1);
    const item = result[index] as T;
    result[index] = result[other] as T;
    result[other] = item;
  }
  return result;
}

/**
 * The hosts in shuffled order, so that a fleet of clients spreads over the ensemble. Each round starts
 * behind the host that served last.
 */
export class HostList {
  readonly #random: Random;
  readonly #shuffle: boolean;
  #hosts: readonly HostAddress[];
  #next = 0;

  constructor(
    hosts: readonly HostAddress[],
    options: { readonly random: Random; readonly shuffle: boolean },
  ) {
    this.#random = options.random;
    this.#shuffle = options.shuffle;
    this.#hosts = options.shuffle ? shuffled(hosts, options.random) : hosts;
  }

  /** Number of hosts. */
  get size(): number {
    return this.#hosts.length;
  }

  /** The hosts in the order they are tried. */
  get hosts(): readonly HostAddress[] {
    return this.#hosts;
  }

  /** The next host to try. */
  next(): HostAddress {
    const host = this.#hosts[this.#next % this.#hosts.length] as HostAddress;
    this.#next = (this.#next + 1) % this.#hosts.length;
    return host;
  }

  /** Makes `host` the one tried next (a writable server was found there). */
  prefer(host: HostAddress): void {
    const index = this.#hosts.findIndex((each) => each.host === host.host && each.port === host.port);
    if (index >= 0) this.#next = index;
  }

  /** Replaces the hosts. */
  replace(hosts: readonly HostAddress[]): void {
    this.#hosts = this.#shuffle ? shuffled(hosts, this.#random) : hosts;
    this.#next = 0;
  }
}
