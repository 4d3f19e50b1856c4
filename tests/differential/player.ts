// SPDX-License-Identifier: Apache-2.0
// Plays a sequence against one server and keeps what every connection saw after each step. Steps follow each
// other only when all is answered; then every connection pings, so that each event is seen after its step.
import { ErrorCode, JuteReader, OpCode, ReplyHeader, Xid } from "@meerkat/wire";
import { encodeBody, type Origin, typeOf } from "./encode.ts";
import {
  type Comparable,
  type Meaning,
  type Observation,
  observeBody,
  observeEvent,
  relativeZxid,
} from "./observation.ts";
import { type Address, PlayConnection, requestFrame } from "./play-connection.ts";
import type { ConnectStep, Request, Sequence, Step } from "./sequence.ts";
import { Steward } from "./steward.ts";

/** What the connections saw after a step, by their number. */
export type StepOutcome = ReadonlyMap<number, readonly Observation[]>;

/** A whole play. */
export interface Play {
  readonly steps: readonly StepOutcome[];
  /** Every znode at the end, with data, ACL and stat. */
  readonly tree: Comparable;
}

interface MadeSession {
  readonly id: bigint;
  readonly password: Buffer;
}

/** One play in progress. */
class Stage {
  readonly #address: Address;
  readonly #origin: Origin;
  readonly #connections = new Map<number, PlayConnection>();
  /** By the connection that made it; removed when it was closed. */
  readonly #sessions = new Map<number, MadeSession>();
  /** By the connection that uses it: the connection that made it. */
  readonly #makers = new Map<number, number>();
  readonly meaning: Meaning;
  readonly #labels = new Map<bigint, number>();

  constructor(address: Address, origin: Origin) {
    this.#address = address;
    this.#origin = origin;
    this.meaning = { origin, sessions: this.#labels };
  }

  /** Plays a step. One that speaks of what is not there, as after shrinking, does nothing. */
  async perform(step: Step): Promise<StepOutcome> {
    const seen = new Map<number, Observation[]>();
    const connection = this.#connections.get(step.connection);
    if (step.kind === "connect") await this.#connect(step, seen);
    else if (connection === undefined) return seen;
    else if (step.kind === "drop") {
      this.#connections.delete(step.connection);
      await connection.destroy();
    } else if (step.kind === "bytes") {
      connection.send(Buffer.from(step.hex, "hex"));
      if (!(await connection.end())) note(seen, step.connection, { kind: "silent" });
    } else await this.#send(step.connection, connection, step.requests, seen);
    await this.#pingAll(seen);
    return seen;
  }

  /** Closes every session that is left: none may expire during a later play. */
  async close(): Promise<void> {
    const closeSession = requestFrame(1, OpCode.closeSession, Buffer.alloc(0));
    for (const connection of this.#connections.values()) await connection.destroy();
    for (const { id, password } of this.#sessions.values()) {
      const connection = await PlayConnection.open(this.#address);
      await connection.shakeHands(connectRequest(30_000, this.#origin.zxid, id, password, false));
      if (connection.session?.sessionId === id) {
        connection.send(closeSession);
        await connection.replies(1);
      }
      await connection.destroy();
    }
  }

  async #connect(step: ConnectStep, seen: Map<number, Observation[]>): Promise<void> {
    const wanted = step.sessionOf === undefined ? undefined : this.#sessions.get(step.sessionOf);
    if (step.sessionOf !== undefined && step.sessionOf >= 0 && wanted === undefined) return;
    const id = step.sessionOf === undefined ? 0n : (wanted?.id ?? 0x7a_0000_0000_0001n);
    const password = Buffer.from(wanted?.password ?? Buffer.alloc(16));
    if (step.wrongPassword === true) password[0] = (password[0] ?? 0) ^ 1;
    const zxid = step.zxidAhead === undefined ? 0n : this.#origin.zxid + BigInt(step.zxidAhead);
    const readOnly = step.readOnly === "missing" ? undefined : (step.readOnly ?? false);
    const connection = await PlayConnection.open(this.#address);
    const answered = await connection.shakeHands(
      connectRequest(step.timeoutMs, zxid, id, password, readOnly),
    );
    const { session } = connection;
    if (!answered) note(seen, step.connection, { kind: "silent" });
    if (session !== undefined) {
      if (session.sessionId !== 0n && id === 0n) {
        this.#labels.set(session.sessionId, step.connection);
        const made = { id: session.sessionId, password: session.password as Buffer };
        this.#sessions.set(step.connection, made);
      }
      const answer = {
        protocolVersion: session.protocolVersion,
        timeoutMs: session.timeoutMs,
        session: session.sessionId === 0n ? null : (this.#labels.get(session.sessionId) ?? "unknown"),
        passwordBytes: session.password?.length ?? null,
        passwordIsZero: session.password?.every((byte) => byte === 0) ?? null,
        passwordIsKept:
          wanted === undefined ? null : wanted.password.equals(session.password ?? Buffer.alloc(0)),
        readOnly: session.readOnly ?? null,
      };
      note(seen, step.connection, { kind: "session", answer });
    }
    this.#connections.set(step.connection, connection);
    this.#makers.set(step.connection, step.sessionOf ?? step.connection);
    if (session === undefined || session.sessionId === 0n) {
      if (!(await connection.end())) note(seen, step.connection, { kind: "silent" });
    }
  }

  async #send(
    number: number,
    connection: PlayConnection,
    requests: readonly Request[],
    seen: Map<number, Observation[]>,
  ): Promise<void> {
    const frames = requests.map((request) => {
      const xid = request.xid ?? ++connection.xid;
      return requestFrame(xid, typeOf(request), encodeBody(request, this.#origin));
    });
    connection.send(Buffer.concat(frames));
    const answered = await connection.replies(requests.length);
    const waiting = [...requests];
    for (const frame of connection.take()) note(seen, number, this.#observe(frame, waiting));
    if (!answered) note(seen, number, { kind: "silent" });
    if (requests.some(({ type }) => type === OpCode.closeSession)) {
      this.#sessions.delete(this.#makers.get(number) ?? number);
    }
    // Apache closes behind the reply, in its own time: a ping might still be answered.
    if ((seen.get(number) ?? []).some(isLastReply) && !(await connection.end())) {
      note(seen, number, { kind: "silent" });
    }
  }

  /** Reads a frame; the first of `waiting` is what a reply answers. */
  #observe(frame: Buffer, waiting: Request[]): Observation {
    const reader = new JuteReader(frame);
    const { xid, zxid, err } = ReplyHeader.read(reader);
    if (xid === Xid.notification) return observeEvent(reader, this.meaning);
    const request = waiting.shift();
    if (request === undefined) return { kind: "pong", err, zxid: relativeZxid(zxid, this.meaning) };
    const body = observeBody(typeOf(request), reader, frame, this.meaning);
    return { kind: "reply", xid, zxid: relativeZxid(zxid, this.meaning), err, body, request };
  }

  async #pingAll(seen: Map<number, Observation[]>): Promise<void> {
    const ping = requestFrame(Xid.ping, OpCode.ping, Buffer.alloc(0));
    const pings = [...this.#connections].map(async ([number, connection]) => {
      connection.send(ping);
      const answered = await connection.replies(1);
      for (const frame of connection.take()) note(seen, number, this.#observe(frame, []));
      if (!answered) note(seen, number, { kind: "silent" });
      if (!connection.closed) return;
      note(seen, number, { kind: "closed" });
      this.#connections.delete(number);
    });
    await Promise.all(pings);
  }
}

/** A reply behind which the server closes the connection. */
function isLastReply(item: Observation): boolean {
  if (item.kind !== "reply") return false;
  const { request, err } = item;
  if (request.type === OpCode.closeSession) return err === ErrorCode.OK;
  return request.type === "unknown" || (request.type === OpCode.auth && err !== ErrorCode.OK);
}

function note(seen: Map<number, Observation[]>, connection: number, observation: Observation): void {
  const list = seen.get(connection);
  if (list === undefined) seen.set(connection, [observation]);
  else list.push(observation);
}

function connectRequest(
  timeoutMs: number,
  lastZxidSeen: bigint,
  sessionId: bigint,
  password: Buffer,
  readOnly: boolean | undefined,
): Parameters<PlayConnection["shakeHands"]>[0] {
  return { protocolVersion: 0, timeoutMs, lastZxidSeen, sessionId, password, readOnly };
}

/** Plays sequences against one server, one after the other, each below a znode of its own. */
export class Player implements AsyncDisposable {
  readonly #address: Address;
  readonly #steward: Steward;
  #plays = 0;

  private constructor(address: Address, steward: Steward) {
    this.#address = address;
    this.#steward = steward;
  }

  /** The server must know the steward's super digest. */
  static async open(address: Address): Promise<Player> {
    return new Player(address, await Steward.open(address));
  }

  /** Plays the sequence, or its first `steps` only, and leaves the server as it was. */
  async play(sequence: Sequence): Promise<Play> {
    // Names of one length, so that sizes agree between the plays of one player and another's.
    const root = `/play${String(++this.#plays).padStart(8, "0")}`;
    const zxid = await this.#steward.prepare(root);
    const stage = new Stage(this.#address, { root, zxid });
    const steps: StepOutcome[] = [];
    for (const step of sequence.steps) steps.push(await stage.perform(step));
    const tree = await this.#steward.dump(root, stage.meaning);
    await stage.close();
    await this.#steward.remove(root);
    return { steps, tree };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#steward[Symbol.asyncDispose]();
  }
}
