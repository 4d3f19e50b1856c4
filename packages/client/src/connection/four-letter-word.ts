// SPDX-License-Identifier: Apache-2.0
// Four-letter words: a server's old monitoring commands (`srvr`, `mntr`, `isro`, …), one per connection.
import { type Net, type Runtime, resolveRuntime, type TlsClientOptions } from "@meerkat/runtime";
import { ZooKeeperError } from "../errors.ts";
import { formatHost, type HostAddress } from "./host-list.ts";

/** Longest answer kept; `dump` and `cons` of a busy server are long. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
const TIMEOUT_MS = 5_000;

/** Which server to ask, and limits. */
export interface FourLetterWordOptions {
  readonly host: string;
  readonly port: number;
  /** For a TLS port. */
  readonly tls?: TlsClientOptions | undefined;
  /** Default 5,000. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly runtime?: Partial<Runtime> | undefined;
}

/**
 * Asks one server and resolves with its answer as text. A server answers only the words of its
 * `4lw.commands.whitelist` (by default `srvr`), others with a sentence that says so. Rejects with
 * `CONNECTION_LOSS`, `TIMEOUT`, `ABORTED`.
 */
export function fourLetterWord(word: string, options: FourLetterWordOptions): Promise<string> {
  const runtime = resolveRuntime(options.runtime);
  const { signal, timeoutMs = TIMEOUT_MS } = options;
  const where = formatHost(options);
  const fail = (
    code: "CONNECTION_LOSS" | "TIMEOUT" | "ABORTED",
    why: string,
    cause?: unknown,
  ): ZooKeeperError =>
    new ZooKeeperError(code, `${word} at ${where}: ${why} (${code})`, {
      context: { operation: word },
      cause,
    });
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(fail("ABORTED", "aborted", signal.reason));
      return;
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    const onAbort = (): void => socket.destroy(fail("ABORTED", "aborted", signal?.reason));
    const socket = runtime.net.connect(targetOf(options), {
      onConnect: () => void socket.write(Buffer.from(word, "latin1")),
      onData: (chunk) => {
        bytes += chunk.length;
        if (bytes > ANSWER_BYTES_MAX) socket.destroy(fail("CONNECTION_LOSS", "the answer is too long"));
        else chunks.push(Buffer.from(chunk));
      },
      onClose: (error) => {
        timer.cancel();
        signal?.removeEventListener("abort", onAbort);
        if (error instanceof ZooKeeperError) reject(error);
        // Some servers reset the connection right behind a whole answer.
        else if (error !== undefined && bytes === 0) reject(fail("CONNECTION_LOSS", error.message, error));
        else resolve(Buffer.concat(chunks).toString("utf8"));
      },
    });
    const timer = runtime.clock.after(timeoutMs, () =>
      socket.destroy(fail("TIMEOUT", `no answer within ${timeoutMs} ms`)),
    );
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

function targetOf(options: FourLetterWordOptions): Parameters<Net["connect"]>[0] {
  return { host: options.host, port: options.port, tls: options.tls };
}

/** True when the server says that it takes writes; any failure is a no. */
export async function isReadWrite(
  host: HostAddress,
  options: Omit<FourLetterWordOptions, "host" | "port">,
): Promise<boolean> {
  try {
    return (await fourLetterWord("isro", { ...options, ...host })).trim() === "rw";
  } catch {
    return false;
  }
}
