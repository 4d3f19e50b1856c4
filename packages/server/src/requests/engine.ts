// SPDX-License-Identifier: Apache-2.0
// The server's state and its one way of changing it. Everything runs on the event loop in turns: a turn handles
// a chunk of one connection (or a timer), applies writes at once and collects what is to be sent; nothing leaves
// before the last transaction it could show is durable, which the connections see to by `durableZxid`.
import type { Clock, Logger } from "@meerkat/runtime";
import {
  ErrorCode,
  type EventType,
  JuteReader,
  JuteWriter,
  KeeperState,
  OpCode,
  type Txn,
  type TxnHeader,
  Xid,
} from "@meerkat/wire";
import type { Storage } from "../seam.ts";
import type { Session } from "../sessions/session.ts";
import { SessionTracker } from "../sessions/session-tracker.ts";
import type { AccessPolicy } from "../tree/access.ts";
import type { WriteContext } from "../tree/prepare.ts";
import { Replica } from "../tree/replica.ts";
import type { Watcher } from "../tree/watch-table.ts";
import type { ZnodeTree } from "../tree/znode-tree.ts";
import type { Client } from "./client.ts";
import { ServerCounters } from "./counters.ts";

/** How much memory the shared output takes at a time. */
const OUTPUT_SLAB_BYTES = 256 * 1024;

/** What an engine is made of. */
export interface EngineOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tickMs: number;
  readonly hashSeed: number;
  readonly policy: AccessPolicy;
  readonly extendedTypes: boolean;
  readonly enforceQuota: boolean;
  readonly reconfigEnabled: boolean;
  /** A connection must have proved one of these schemes before it may do anything else. */
  readonly requiredAuthSchemes: readonly string[] | undefined;
}

/** Tree, sessions, transaction ids and the output of the present turn. */
export class Engine {
  readonly options: EngineOptions;
  /** Replaced once at most: by what is on the disk, when the storage failed. */
  replica: Replica;
  tree: ZnodeTree;
  readonly sessions: SessionTracker;
  readonly counters: ServerCounters = new ServerCounters();
  readonly logger: Logger;
  /** Replies to `current`, in order; taken when its chunk is done. */
  readonly out: JuteWriter = new JuteWriter(OUTPUT_SLAB_BYTES);
  /** Reused for the body of every request. */
  readonly reader: JuteReader = new JuteReader(Buffer.alloc(0));
  /** The connection whose requests are being handled. */
  current: Client | undefined;
  /** Monotonic and wall-clock ms as of the start of the turn. */
  nowMs = 0;
  wallMs = 0;
  /** Why writes are refused: the storage failed. */
  failure: Error | undefined;
  /** While the whole state is being replaced, nothing changes it. */
  isFrozen = false;
  readonly #clock: Clock;
  #storage: Storage | undefined;
  /** Nothing that shows a later state may leave; without a storage, no bound. */
  #durableZxid = Number.POSITIVE_INFINITY;
  readonly #eventWriter = new JuteWriter(16 * 1024);
  readonly #afterTurn: (() => void)[] = [];

  constructor(options: EngineOptions) {
    this.options = options;
    this.logger = options.logger;
    this.#clock = options.clock;
    this.replica = this.newReplica();
    this.tree = this.replica.tree;
    this.sessions = new SessionTracker({
      clock: options.clock,
      tickMs: options.tickMs,
      onExpired: (session) => this.#expire(session),
    });
  }

  /** The last transaction: applied or refused, each attempt counts. */
  get lastZxid(): number {
    return this.tree.lastZxid;
  }

  /** Output that shows nothing later than this may leave. */
  get durableZxid(): number {
    return this.#durableZxid;
  }

  /** An empty state that reports its events here. */
  newReplica(): Replica {
    return new Replica({
      seed: this.options.hashSeed,
      policy: this.options.policy,
      onEvent: (type, path, zxid, watchers) => this.#sendEvent(type, path, zxid, watchers),
    });
  }

  /** From now on every transaction goes to `storage`; all before is durable. */
  attach(storage: Storage): void {
    this.#storage = storage;
    this.#durableZxid = this.tree.lastZxid;
    storage.onDurable((zxid) => {
      this.#durableZxid = zxid;
    });
  }

  /** Goes on read-only with `replica`, which holds what is durable. Nothing is ever logged again. */
  retreat(replica: Replica): void {
    this.#storage = undefined;
    this.replica = replica;
    this.tree = replica.tree;
    this.#durableZxid = Number.POSITIVE_INFINITY;
    for (const session of [...this.sessions.all()]) {
      if (!replica.timeouts.has(session.id)) this.sessions.remove(session);
    }
  }

  /** Goes on with another state, which is durable already. No connection may be open. */
  replaceState(replica: Replica): void {
    this.replica = replica;
    this.tree = replica.tree;
    this.#durableZxid = replica.lastZxid;
    for (const session of [...this.sessions.all()]) this.sessions.remove(session);
    for (const [id, timeoutMs] of replica.timeouts) this.sessions.add(id, timeoutMs);
  }

  /** Starts a turn: time stands still until the next one. */
  beginTurn(): void {
    this.nowMs = this.#clock.nowMs();
    this.wallMs = Math.floor(this.#clock.wallMs());
  }

  /** Ends a turn: connections that were given something send or hold it now. */
  endTurn(): void {
    const tasks = this.#afterTurn;
    for (let index = 0; index < tasks.length; index++) (tasks[index] as () => void)();
    tasks.length = 0;
  }

  /** Has a task run at the end of the turn. */
  afterTurn(task: () => void): void {
    this.#afterTurn.push(task);
  }

  /** What a client's writes are checked against. */
  contextOf(client: Client): WriteContext {
    const { extendedTypes, enforceQuota } = this.options;
    return { identities: client.identities, extendedTypes, enforceQuota };
  }

  /** Logs and applies a transaction. Returns the row of the znode it made or changed, if any. */
  commit(sessionId: bigint, cxid: number, txn: Txn): number {
    const header = this.nextHeader(sessionId, cxid, txn.type);
    this.#storage?.append(header, txn);
    return this.tree.apply(header, txn);
  }

  /** Logs a write that was refused: it takes a transaction id too, as in ZooKeeper. */
  refuse(sessionId: bigint, cxid: number, err: number): void {
    const header = this.nextHeader(sessionId, cxid, OpCode.error);
    const txn: Txn = { type: OpCode.error, err };
    this.#storage?.append(header, txn);
    this.tree.apply(header, txn);
  }

  /** Logs a transaction that was applied already, step by step. */
  log(header: TxnHeader, txn: Txn): void {
    this.#storage?.append(header, txn);
  }

  nextHeader(clientId: bigint, cxid: number, type: number): TxnHeader {
    return { clientId, cxid, zxid: this.tree.lastZxid + 1, timeMs: this.wallMs, type };
  }

  /** Makes a session. Its creation is a transaction like any other. */
  createSession(timeoutMs: number): Session {
    const id = this.sessions.nextId();
    this.commit(id, 0, { type: OpCode.createSession, timeoutMs });
    this.replica.timeouts.set(id, timeoutMs);
    return this.sessions.add(id, timeoutMs);
  }

  /** A session that only this process knows: for clients that read while nothing can be written. */
  createLocalSession(timeoutMs: number): Session {
    return this.sessions.add(this.sessions.nextId(), timeoutMs);
  }

  /** Ends a session: its ephemerals go, their watches fire. */
  closeSession(session: Session, cxid: number): void {
    session.state = "closing";
    if (this.failure !== undefined || this.isFrozen) {
      this.sessions.remove(session);
      return;
    }
    const paths = this.tree.ephemeralPaths(session.id);
    this.replica.timeouts.delete(session.id);
    this.sessions.remove(session);
    this.commit(session.id, cxid, { type: OpCode.closeSession, paths });
  }

  /** Starts a reply to `current`. What it returns goes to `endReply`, after the body if `err` is 0. */
  beginReply(xid: number, err: number): number {
    const { out } = this;
    const frame = out.beginFrame();
    out.int(xid);
    out.longNumber(this.tree.lastZxid);
    out.int(err);
    return frame;
  }

  endReply(frame: number): void {
    this.out.endFrame(frame);
    this.counters.replies++;
  }

  /** A reply without a body. */
  reply(xid: number, err: number): void {
    this.endReply(this.beginReply(xid, err));
  }

  #expire(session: Session): void {
    this.beginTurn();
    const { connection } = session;
    this.closeSession(session, 0);
    this.counters.expiredSessions++;
    this.logger.info({ sessionId: `0x${session.id.toString(16)}` }, "session expired");
    connection?.closeSoon("the session expired");
    this.endTurn();
  }

  #sendEvent(type: number, path: string, zxid: number, watchers: ReadonlySet<Watcher>): void {
    const writer = this.#eventWriter;
    const frame = writer.beginFrame();
    writer.int(Xid.notification);
    writer.longNumber(zxid);
    writer.int(ErrorCode.OK);
    writer.int(type);
    writer.int(KeeperState.syncConnected);
    writer.ustring(path);
    writer.endFrame(frame);
    const bytes = writer.take();
    this.counters.firedWatches.get(type)?.record(watchers.size);
    this.counters.eventsSent += watchers.size;
    for (const watcher of watchers) {
      // Only connections register watches.
      const client = watcher as Client;
      if (client === this.current) this.out.raw(bytes);
      else client.queue(bytes);
    }
  }

  /** An event outside any change, for one client: what it missed while it was away. */
  sendEventTo(client: Client, type: (typeof EventType)[keyof typeof EventType], path: string): void {
    this.#sendEvent(type, path, -1, new Set([client]));
  }
}
