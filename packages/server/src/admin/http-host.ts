// SPDX-License-Identifier: Apache-2.0
// HTTP as the admin endpoints need it: GET and POST. Behind an interface, so that the commands
// are tested without a socket.

/** A request. */
export interface HttpRequest {
  readonly method: string;
  /** Path without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  /** Address of the peer itself, whatever proxies say. */
  readonly remoteAddress: string;
  readonly contentType: string | undefined;
  /** What is not read is thrown away. */
  readonly body: AsyncIterable<Uint8Array>;
}

export interface HttpResponse {
  readonly status: number;
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Streamed when it comes in pieces. */
  readonly body: string | Buffer | AsyncIterable<Uint8Array>;
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
