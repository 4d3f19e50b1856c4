// SPDX-License-Identifier: Apache-2.0
// SASL over ZooKeeper's sasl requests. The mechanisms are behind an interface, so that one which needs a
// library (GSSAPI) can come from outside.
import { OpCode, SaslToken } from "@meerkat/wire";
import type { HostAddress } from "../connection/host-list.ts";
import { ZooKeeperError } from "../errors.ts";
import { type Operation, Request } from "./request.ts";

/** More steps than any mechanism takes. */
const STEPS_MAX = 16;

/** A way to prove who one is, such as DIGEST-MD5 or GSSAPI. */
export interface SaslMechanism {
  /** Registered name (RFC 4422), for messages. */
  readonly name: string;
  /** Starts an exchange; called anew for every connection. `server` is named as in the connect string. */
  start(server: HostAddress): SaslExchange;
}

/** One run of a mechanism. Rejections and throws fail the authentication. */
export interface SaslExchange {
  /** The first token; empty for mechanisms in which the server speaks first. */
  initial(): Uint8Array | Promise<Uint8Array>;
  /** The answer to a token of the server, or null when nothing is left to say. */
  respond(token: Uint8Array): Uint8Array | null | Promise<Uint8Array | null>;
  /** The server has proved what the mechanism demands of it. */
  readonly complete: boolean;
}

/** SaslRequest => token:buffer. Reply: token:buffer (may be null) */
const saslOperation: Operation<Buffer> = {
  code: OpCode.sasl,
  name: "sasl",
  replayable: false,
  write(writer, request) {
    writer.buffer(request.data);
  },
  read: (reader) => Buffer.from(SaslToken.read(reader).token ?? []),
};

/** Runs an exchange; `send` delivers a request on the connection to authenticate. Rejects with `AUTH_FAILED`. */
export async function authenticate(
  mechanism: SaslMechanism,
  server: HostAddress,
  send: (request: Request<Buffer>) => Promise<Buffer>,
): Promise<void> {
  const failed = (why: string, cause?: unknown): ZooKeeperError =>
    new ZooKeeperError("AUTH_FAILED", `SASL ${mechanism.name}: ${why} (AUTH_FAILED)`, {
      context: { operation: "sasl" },
      cause,
    });
  const exchange = mechanism.start(server);
  let token: Uint8Array | null = await exchange.initial();
  for (let step = 0; step < STEPS_MAX; step++) {
    const reply = await send(new Request(saslOperation, "/", token));
    try {
      token = await exchange.respond(reply);
    } catch (error) {
      throw failed("the server's token is not acceptable", error);
    }
    if (token === null) {
      if (exchange.complete) return;
      throw failed("the exchange ended before it was complete");
    }
  }
  throw failed(`no end after ${STEPS_MAX} steps`);
}
