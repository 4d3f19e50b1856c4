// SPDX-License-Identifier: Apache-2.0
// What the search for a server has met: for messages, and to tell an ensemble that lost its data.
import { formatHost, type HostAddress } from "../connection/host-list.ts";

/** See the head of this file. */
export class SearchReport {
  readonly #failures = new Map<string, string>();
  /** Since when servers have been closing connections without a word. */
  #silentSinceTick: number | undefined;

  /** A server took the session. */
  clear(): void {
    this.#failures.clear();
    this.#silentSinceTick = undefined;
  }

  /** A server failed. `silent`: it accepted the connection and closed it without a word. */
  add(host: string, why: string, silent: boolean, nowTick: number): void {
    this.#failures.set(host, why);
    if (silent) this.#silentSinceTick ??= nowTick;
  }

  /** For how long servers have been refusing without a word, in ms; 0 when they have not. */
  silentMs(nowTick: number): number {
    return this.#silentSinceTick === undefined ? 0 : nowTick - this.#silentSinceTick;
  }

  /** Part of a sentence: which hosts, and what each did last. */
  describe(hosts: readonly HostAddress[]): string {
    const tried = [...this.#failures].map(([host, why]) => `${host}: ${why}`);
    const why = tried.length === 0 ? "no server has answered yet" : tried.join("; ");
    return `not connected to any of ${hosts.map(formatHost).join(", ")} (${why})`;
  }
}
