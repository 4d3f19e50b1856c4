// SPDX-License-Identifier: Apache-2.0
// `HttpHost` over node:http.
import http from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline, Readable } from "node:stream";
import type { HttpHandler, HttpHost, HttpResponse } from "./http-host.ts";

/** Time for a whole request, a snapshot of gigabytes included. */
const REQUEST_TIMEOUT_MS = 600_000;

const failed: HttpResponse = { status: 500, contentType: "text/plain", body: "the command failed\n" };

async function answer(
  handler: HttpHandler,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  let result = failed;
  try {
    const url = new URL(request.url ?? "/", "http://localhost");
    result = await handler({
      method: request.method ?? "GET",
      path: url.pathname,
      query: url.searchParams,
      authorization: request.headers.authorization,
      remoteAddress: (request.socket.remoteAddress ?? "").replace(/^::ffff:(?=\d+\.)/, ""),
      contentType: request.headers["content-type"],
      body: request,
    });
  } catch {
    // Whatever a command does wrong must not take the server down.
  }
  // What is left of the body is read away, so that the connection can be used again.
  request.resume();
  response.writeHead(result.status, {
    ...result.headers,
    "content-type": result.contentType,
    "x-content-type-options": "nosniff",
  });
  const { body } = result;
  if (typeof body === "string" || Buffer.isBuffer(body)) response.end(body);
  // Errors, of the client's side most of all, end the response; there is nobody left to tell.
  else pipeline(Readable.from(body), response, () => {});
}

/** HTTP/1.1 of this machine. */
export const nodeHttpHost: HttpHost = (target, handler) => {
  const server = http.createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: 10_000 },
    (request, response) => {
      void answer(handler, request, response);
    },
  );
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: target.host, port: target.port }, () => {
      const { address, port } = server.address() as AddressInfo;
      resolve({
        host: address,
        port,
        close: () =>
          new Promise<void>((closed) => {
            server.close(() => closed());
            server.closeAllConnections();
          }),
      });
    });
  });
};
