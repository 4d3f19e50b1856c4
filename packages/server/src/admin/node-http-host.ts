// SPDX-License-Identifier: Apache-2.0
// `HttpHost` over node:http.
import http from "node:http";
import type { AddressInfo } from "node:net";
import type { HttpHandler, HttpHost, HttpResponse } from "./http-host.ts";

const failed: HttpResponse = { status: 500, contentType: "text/plain", body: "the command failed\n" };

async function answer(
  handler: HttpHandler,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  // Bodies are not wanted; what comes is read away so that the connection can be used again.
  request.resume();
  let result = failed;
  try {
    const url = new URL(request.url ?? "/", "http://localhost");
    result = await handler({
      method: request.method ?? "GET",
      path: url.pathname,
      query: url.searchParams,
      authorization: request.headers.authorization,
    });
  } catch {
    // Whatever a command does wrong must not take the server down.
  }
  response.writeHead(result.status, {
    "content-type": result.contentType,
    "x-content-type-options": "nosniff",
  });
  response.end(result.body);
}

/** HTTP/1.1 of this machine. */
export const nodeHttpHost: HttpHost = (target, handler) => {
  const server = http.createServer(
    { requestTimeout: 30_000, headersTimeout: 10_000 },
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
