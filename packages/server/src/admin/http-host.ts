// SPDX-License-Identifier: Apache-2.0
// HTTP as the admin endpoints need it: GET and POST of small bodies. Behind an interface, so that the commands
// are tested without a socket.

/** A request, its body read. */
export interface HttpRequest {
  readonly method: string;
  /** Path without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
}

export interface HttpResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Buffer;
}

/** Answers one request. A rejection becomes a 500. */
export type HttpHandler = (request: HttpRequest) => HttpResponse | Promise<HttpResponse>;

/** A bound HTTP listener. */
export interface HttpListener {
  readonly host: string;
  readonly port: number;
  /** Stops at once; open connections are dropped. */
  close(): Promise<void>;
}

/** Binds. Rejects when the address is taken. */
export type HttpHost = (
  target: { readonly host: string; readonly port: number },
  handler: HttpHandler,
) => Promise<HttpListener>;
