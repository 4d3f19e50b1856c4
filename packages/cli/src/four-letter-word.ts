// SPDX-License-Identifier: Apache-2.0
// ZooKeeper's oldest interface: four letters over TCP, answered with text and a closed connection.
import { type Clock, errorFrom, type Net } from "@meerkat/runtime";

/** Longest answer taken; `srvr` and `ruok` need a few hundred bytes. */
const ANSWER_BYTES_MAX = 1024 * 1024;

/** A server's address. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/**
 * Sends `word` to a server and resolves with its answer. A server that does not allow the word says so in
 * the text ("is not executed because it is not in the whitelist"). Rejects when the server cannot be
 * reached or is silent for `timeoutMs`.
 */
export function fourLetterWord(
  word: string,
  target: HostPort,
  options: { readonly net: Net; readonly clock: Clock; readonly timeoutMs: number },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const timer = options.clock.after(options.timeoutMs, () =>
      socket.destroy(new Error(`no answer within ${options.timeoutMs} ms`)),
    );
    const socket = options.net.connect(target, {
      onConnect: () => {
        socket.write(Buffer.from(word, "latin1"));
      },
      onData: (chunk) => {
        length += chunk.length;
        if (length > ANSWER_BYTES_MAX) socket.destroy(new Error("the answer has no end"));
        else chunks.push(Buffer.from(chunk));
      },
      onClose: (error) => {
        timer.cancel();
        // Servers may reset after the answer, since they do not wait for us to close.
        if (error !== undefined && length === 0) reject(errorFrom(error));
        else resolve(Buffer.concat(chunks).toString("utf8"));
      },
    });
  });
}
