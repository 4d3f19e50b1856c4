// SPDX-License-Identifier: Apache-2.0
// Text conversations with the server: four-letter words, HTTP.
import net from "node:net";

/** Sends text and gives everything that came until the connection closed. */
export async function converse(
  address: { readonly host: string; readonly port: number },
  text: string | Uint8Array,
): Promise<string> {
  const socket = net.connect({ host: address.host, port: address.port });
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  const closed = new Promise<void>((resolve, reject) => {
    socket.once("close", () => resolve());
    socket.once("error", reject);
  });
  socket.write(text);
  await closed;
  return Buffer.concat(chunks).toString();
}

/** The JSON that an HTTP command answers with. */
export async function fetchJson(port: number, path: string): Promise<Record<string, unknown>> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return (await response.json()) as Record<string, unknown>;
}
