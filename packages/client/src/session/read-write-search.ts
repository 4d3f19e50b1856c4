// SPDX-License-Identifier: Apache-2.0
// While the server in use takes no writes: looks for one that does.
import { Backoff, type Runtime, sleep, type TlsClientOptions } from "@meerkat/runtime";
import { isReadWrite } from "../connection/four-letter-word.ts";
import type { HostAddress, HostList } from "../connection/host-list.ts";

const DELAY_INITIAL_MS = 1_000;
const DELAY_MAX_MS = 60_000;
const PROBE_TIMEOUT_MS = 2_000;

/** What a search needs. */
export interface ReadWriteSearchOptions {
  readonly runtime: Runtime;
  readonly hosts: HostList;
  readonly tls: TlsClientOptions | undefined;
  /** Called once, when a server that takes writes was found; the search is over. */
  readonly onFound: (host: HostAddress) => void;
}

/** Asks all servers with `isro`, again and again with growing delays, until one says `rw` or it is stopped. */
export class ReadWriteSearch {
  readonly #options: ReadWriteSearchOptions;
  #running: AbortController | undefined;

  constructor(options: ReadWriteSearchOptions) {
    this.#options = options;
  }

  /** Begins, unless it runs already. */
  start(): void {
    if (this.#running !== undefined) return;
    const running = new AbortController();
    this.#running = running;
    // Ends by itself or with the signal, whose abort is all that it can reject with.
    void this.#run(running.signal).catch(() => {});
  }

  /** Ends the search. */
  stop(): void {
    this.#running?.abort();
    this.#running = undefined;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { runtime, hosts, tls, onFound } = this.#options;
    const backoff = new Backoff(
      { initialMs: DELAY_INITIAL_MS, maxMs: DELAY_MAX_MS, floor: 0.5 },
      runtime.random,
    );
    for (;;) {
      await sleep(runtime.clock, backoff.nextMs(), signal);
      for (const host of hosts.hosts) {
        const found = await isReadWrite(host, { runtime, tls, timeoutMs: PROBE_TIMEOUT_MS, signal });
        if (signal.aborted) return;
        if (!found) continue;
        this.#running = undefined;
        onFound(host);
        return;
      }
    }
  }
}
