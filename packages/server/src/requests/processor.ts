// SPDX-License-Identifier: Apache-2.0
// From a request frame to its operation. One call handles one frame to its end: the reply, if any, is in the
// engine's output when it returns.
import {
  AuthPacket,
  ErrorCode,
  OpCode,
  ReconfigRequest,
  SaslToken,
  WireFormatError,
  Xid,
} from "@meerkat/wire";
import type { Identity } from "../tree/access.ts";
import { getInt } from "../tree/big-endian.ts";
import type { Authenticator } from "./authenticator.ts";
import type { Client } from "./client.ts";
import type { Engine } from "./engine.ts";
import { multi, multiRead } from "./multi-requests.ts";
import {
  countDescendants,
  readAcl,
  readEphemerals,
  readPathAndWatch,
  sync,
  whoAmI,
} from "./read-requests.ts";
import { addWatch, checkOrRemoveWatches, setWatches } from "./watch-requests.ts";
import { create, deleteZnode, setAcl, setData } from "./write-requests.ts";

/** What becomes of the connection after a frame: `close` once everything queued is sent. */
export type Outcome = "continue" | "close";

/** Bytes of a request header. */
const HEADER_BYTES = 8;

/** Operations that take a transaction id, also when they are refused. */
const writeOperations: ReadonlySet<number> = new Set<number>([
  OpCode.create,
  OpCode.create2,
  OpCode.createContainer,
  OpCode.createTTL,
  OpCode.delete,
  OpCode.setData,
  OpCode.setACL,
  OpCode.multi,
  OpCode.reconfig,
]);

/** Runs requests against an engine. */
export class Processor {
  readonly #engine: Engine;
  readonly #authenticator: Authenticator;

  constructor(engine: Engine, authenticator: Authenticator) {
    this.#engine = engine;
    this.#authenticator = authenticator;
  }

  /**
   * Handles the request in `bytes[start, end)`. Throws `WireFormatError` only when there is no header to reply
   * to; a body that cannot be decoded is answered.
   */
  process(client: Client, bytes: Buffer, start: number, end: number): Outcome {
    const engine = this.#engine;
    if (end - start < HEADER_BYTES) throw new WireFormatError("a request without a header", 0);
    const xid = getInt(bytes, start);
    const type = getInt(bytes, start + 4);
    const { counters, reader, out } = engine;
    counters.request(type);
    client.session.heardMs = engine.nowMs;
    client.lastXid = xid;
    client.lastOperation = type;
    if (client.session.state !== "open") {
      engine.reply(xid, ErrorCode.SESSION_EXPIRED);
      return "continue";
    }
    if (this.#lacksAuth(client, type)) {
      engine.reply(xid, ErrorCode.SESSION_CLOSED_REQUIRE_SASL_AUTH);
      return "close";
    }
    const mark = out.length;
    reader.reset(bytes, start + HEADER_BYTES, end);
    try {
      return this.#dispatch(client, xid, type, bytes, start);
    } catch (error) {
      if (!(error instanceof WireFormatError)) throw error;
      out.truncate(mark);
      // ZooKeeper reads a reconfig before it gives out a transaction id, other writes after.
      if (writeOperations.has(type) && type !== OpCode.reconfig)
        engine.refuse(client.session.id, xid, ErrorCode.MARSHALLING_ERROR);
      engine.reply(xid, ErrorCode.MARSHALLING_ERROR);
      return "continue";
    }
  }

  #dispatch(client: Client, xid: number, type: number, bytes: Buffer, start: number): Outcome {
    const engine = this.#engine;
    switch (type) {
      case OpCode.exists:
      case OpCode.getData:
      case OpCode.getChildren:
      case OpCode.getChildren2:
        readPathAndWatch(engine, client, xid, type, bytes, start);
        return "continue";
      case OpCode.ping:
        // Whatever its xid, as in ZooKeeper.
        engine.reply(Xid.ping, ErrorCode.OK);
        return "continue";
      case OpCode.sync:
        sync(engine, xid);
        return "continue";
      case OpCode.multiRead:
        multiRead(engine, client, xid);
        return "continue";
      case OpCode.getACL:
        readAcl(engine, client, xid);
        return "continue";
      case OpCode.getAllChildrenNumber:
        countDescendants(engine, client, xid);
        return "continue";
      case OpCode.getEphemerals:
        readEphemerals(engine, client, xid);
        return "continue";
      case OpCode.whoAmI:
        whoAmI(engine, client, xid);
        return "continue";
      case OpCode.addWatch:
        addWatch(engine, client, xid);
        return "continue";
      case OpCode.checkWatches:
      case OpCode.removeWatches:
        checkOrRemoveWatches(engine, client, xid, type);
        return "continue";
      case OpCode.setWatches:
      case OpCode.setWatches2:
        setWatches(engine, client, xid, type);
        return "continue";
      case OpCode.auth:
        return this.#auth(client, xid);
      case OpCode.sasl:
        return this.#sasl(client, xid);
      case OpCode.closeSession:
        return this.#closeSession(client, xid);
      default:
        return this.#write(client, xid, type);
    }
  }

  #write(client: Client, xid: number, type: number): Outcome {
    const engine = this.#engine;
    if (!writeOperations.has(type)) return this.#unimplemented(xid);
    if (engine.failure !== undefined) {
      engine.reply(xid, ErrorCode.NOT_READ_ONLY);
      return "continue";
    }
    switch (type) {
      case OpCode.create:
      case OpCode.create2:
      case OpCode.createContainer:
      case OpCode.createTTL:
        create(engine, client, xid, type);
        return "continue";
      case OpCode.delete:
        deleteZnode(engine, client, xid);
        return "continue";
      case OpCode.setData:
        setData(engine, client, xid);
        return "continue";
      case OpCode.setACL:
        setAcl(engine, client, xid);
        return "continue";
      case OpCode.multi:
        multi(engine, client, xid);
        return "continue";
      default: {
        // reconfig: a standalone server has no members to change.
        ReconfigRequest.read(engine.reader);
        const err = engine.options.reconfigEnabled ? ErrorCode.UNIMPLEMENTED : ErrorCode.RECONFIG_DISABLED;
        engine.refuse(client.session.id, xid, err);
        engine.reply(xid, err);
        return "continue";
      }
    }
  }

  /** Unknown operations, and those that only multis (check) or servers (deleteContainer) may use. */
  #unimplemented(xid: number): Outcome {
    const engine = this.#engine;
    const { out } = engine;
    // Such a request never had a transaction id, and ZooKeeper says so.
    const frame = out.beginFrame();
    out.int(xid);
    out.longHalves(-1, -1);
    out.int(ErrorCode.UNIMPLEMENTED);
    engine.endReply(frame);
    return "close";
  }

  /** With required schemes, nothing else is done before one of them is proved. */
  #lacksAuth(client: Client, type: number): boolean {
    const required = this.#engine.options.requiredAuthSchemes;
    if (required === undefined || type === OpCode.auth || type === OpCode.sasl) return false;
    if (type === OpCode.ping || type === OpCode.closeSession) return false;
    return !client.identities.some((identity) => required.includes(identity.scheme));
  }

  /** Replies to auth packets and SASL tokens carry no transaction id. */
  #beginAuthReply(xid: number, err: number): number {
    const { out } = this.#engine;
    const frame = out.beginFrame();
    out.int(xid);
    out.longNumber(0);
    out.int(err);
    return frame;
  }

  #refuseAuth(client: Client, xid: number, scheme: string, reason: string): Outcome {
    const engine = this.#engine;
    engine.endReply(this.#beginAuthReply(xid, ErrorCode.AUTH_FAILED));
    engine.counters.authFailed++;
    engine.logger.warn({ scheme, reason, remoteAddress: client.remoteAddress }, "authentication failed");
    return "close";
  }

  #admit(client: Client, proved: readonly Identity[]): void {
    const fresh = proved.filter(
      (identity) =>
        !client.identities.some((known) => known.scheme === identity.scheme && known.id === identity.id),
    );
    client.identities = [...client.identities, ...fresh];
  }

  #auth(client: Client, xid: number): Outcome {
    const { scheme, auth } = AuthPacket.read(this.#engine.reader);
    const proved = this.#authenticator.authenticate(scheme, auth);
    if (proved === undefined) return this.#refuseAuth(client, xid, scheme, "unknown scheme or refused data");
    this.#engine.endReply(this.#beginAuthReply(xid, ErrorCode.OK));
    this.#admit(client, proved);
    return "continue";
  }

  #sasl(client: Client, xid: number): Outcome {
    const engine = this.#engine;
    const { token } = SaslToken.read(engine.reader);
    client.sasl ??= this.#authenticator.startSasl();
    const step = client.sasl?.step(token) ?? { kind: "failed" as const, reason: "no SASL users are set up" };
    if (step.kind !== "challenge") client.sasl = undefined;
    if (step.kind === "failed") return this.#refuseAuth(client, xid, "sasl", step.reason);
    if (step.kind === "done") this.#admit(client, this.#authenticator.saslIdentities(step));
    const frame = this.#beginAuthReply(xid, ErrorCode.OK);
    SaslToken.write(engine.out, { token: step.token });
    engine.endReply(frame);
    return "continue";
  }

  #closeSession(client: Client, xid: number): Outcome {
    const engine = this.#engine;
    engine.closeSession(client.session, xid);
    engine.reply(xid, ErrorCode.OK);
    return "close";
  }
}
