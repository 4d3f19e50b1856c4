// SPDX-License-Identifier: Apache-2.0
// Finds a server that takes the session: goes round the hosts, resolves each name anew, tries each address
// with a time limit, and sends the first frame. Rounds are spaced by a growing, jittered delay.
import { errorFrom, type Runtime, sleep, type TlsClientOptions } from "@meerkat/runtime";
import { ConnectRequest, ConnectResponse, ErrorCode, type JuteReader, ReplyHeader } from "@meerkat/wire";
import { resultName } from "../errors.ts";
import { Connection } from "./connection.ts";
import { formatHost, type HostAddress, type HostList, isAddress } from "./host-list.ts";

/** ReplyHeader => xid:int zxid:long err:int */
const REPLY_HEADER_BYTES = 16;

/**
 * Time that an address gets at first, ms. It doubles, up to the limit, after each that used it up: a server
 * that is just starting may take a connection and never answer it, and only a new one helps; one that is
 * merely slow must be waited for.
 */
const PATIENCE_FIRST_MS = 2_000;

/** What the first frame says; asked for when it is written, since it changes with the session. */
export type ConnectRequestFields = ConnectRequest;

/** What a connector needs. */
export interface ConnectorOptions {
  readonly hosts: HostList;
  readonly runtime: Runtime;
  readonly tls: TlsClientOptions | undefined;
  readonly frameBytesMax: number;
  readonly paceReads: boolean;
  /** Limit of one address: TCP, TLS and the first reply together. */
  readonly connectTimeoutMs: () => number;
  /** Delay before the next round. */
  readonly nextDelayMs: () => number;
  readonly request: () => ConnectRequestFields;
  /**
   * A server answered the first frame, be it with a refusal. Called in the same step as the frame is
   * processed; the search is over.
   */
  readonly onEstablished: (connection: Connection, response: ConnectResponse, host: HostAddress) => void;
  /** An address failed. `silent`: it took the connection and closed it without a word. */
  readonly onFailure: (host: string, reason: Error, silent: boolean) => void;
}

/** One search at a time; `start` again for the next. */
export class Connector {
  readonly #options: ConnectorOptions;
  #search: AbortController | undefined;
  #patienceMs = PATIENCE_FIRST_MS;

  constructor(options: ConnectorOptions) {
    this.#options = options;
  }

  /** Begins to search, after `delayMs`. A search under way is dropped. */
  start(delayMs: number): void {
    this.stop();
    const search = new AbortController();
    this.#search = search;
    // Ends by itself: when established, or when the signal aborts.
    void this.#run(delayMs, search.signal).catch((error: unknown) => {
      if (!search.signal.aborted) {
        this.#options.runtime.logger.error({ error }, "the search for a server failed unexpectedly");
      }
    });
  }

  /** Drops the search and whatever connection it was trying. */
  stop(): void {
    this.#search?.abort();
    this.#search = undefined;
  }

  async #run(firstDelayMs: number, signal: AbortSignal): Promise<void> {
    const { hosts, runtime, nextDelayMs } = this.#options;
    let delayMs = firstDelayMs;
    for (;;) {
      if (delayMs > 0) await sleep(runtime.clock, delayMs, signal);
      for (let tried = 0; tried < hosts.size; tried++) {
        if (await this.#tryHost(hosts.next(), signal)) return;
        if (signal.aborted) return;
      }
      delayMs = nextDelayMs();
    }
  }

  /** Tries every address of a host; true when one answered. */
  async #tryHost(host: HostAddress, signal: AbortSignal): Promise<boolean> {
    const { runtime, onFailure } = this.#options;
    let addresses: readonly string[];
    try {
      addresses = isAddress(host.host) ? [host.host] : await runtime.net.resolve(host.host);
      if (addresses.length === 0) throw new Error(`${host.host} has no address`);
    } catch (error) {
      // A name that cannot be resolved now may be later: as good as a host that is down.
      if (!signal.aborted) onFailure(formatHost(host), errorFrom(error), false);
      return false;
    }
    for (const address of addresses) {
      if (signal.aborted) return false;
      if (await this.#tryAddress(host, address, signal)) return true;
    }
    return false;
  }

  #tryAddress(host: HostAddress, address: string, signal: AbortSignal): Promise<boolean> {
    const { runtime, tls, frameBytesMax, paceReads, connectTimeoutMs, onEstablished, onFailure, request } =
      this.#options;
    return new Promise<boolean>((resolve) => {
      const timeoutMs = Math.min(this.#patienceMs, connectTimeoutMs());
      let connected = false;
      const finish = (established: boolean): void => {
        timer.cancel();
        signal.removeEventListener("abort", onAbort);
        resolve(established);
      };
      const onAbort = (): void => {
        connection.destroy();
        finish(false);
      };
      const connection = new Connection(
        {
          net: runtime.net,
          clock: runtime.clock,
          target: {
            host: address,
            port: host.port,
            tls: tls === undefined ? undefined : { ...tls, serverName: tls.serverName ?? host.host },
          },
          frameBytesMax,
          paceReads,
        },
        {
          onConnect: () => {
            connected = true;
            writeConnectRequest(connection, request());
          },
          onFrame: (reader: JuteReader) => {
            if (reader.remaining === REPLY_HEADER_BYTES) {
              connection.destroy(new Error(refusal(reader)));
              return;
            }
            const response = ConnectResponse.read(reader);
            this.#patienceMs = PATIENCE_FIRST_MS;
            finish(true);
            onEstablished(connection, response, host);
          },
          onChunkEnd: () => {},
          onDrain: () => {},
          onClose: (error) => {
            if (signal.aborted) return;
            const reason = error ?? new Error("closed the connection without an answer");
            finish(false);
            onFailure(formatHost(host), reason, connected && error === undefined);
          },
        },
      );
      const timer = runtime.clock.after(timeoutMs, () => {
        this.#patienceMs = Math.min(this.#patienceMs * 2, connectTimeoutMs());
        connection.destroy(
          new Error(connected ? `no answer within ${timeoutMs} ms` : `no connection within ${timeoutMs} ms`),
        );
      });
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }
}

/** Some servers refuse a session with a bare reply header instead of a ConnectResponse. */
function refusal(reader: JuteReader): string {
  const { err } = ReplyHeader.read(reader);
  return err === ErrorCode.NOT_READ_ONLY
    ? "is cut off from its ensemble and makes no sessions (localSessionsEnabled is false)"
    : `refused the session with ${resultName(err)}`;
}

function writeConnectRequest(connection: Connection, request: ConnectRequestFields): void {
  const { writer } = connection;
  const frame = writer.beginFrame();
  ConnectRequest.write(writer, request);
  writer.endFrame(frame);
  connection.flush();
}
