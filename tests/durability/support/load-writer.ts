// SPDX-License-Identifier: Apache-2.0
// One client under load. It keeps many writes in flight and knows for each whether it was acknowledged.
import {
  CreateFlag,
  CreateRequest,
  CreateResponse,
  JuteReader,
  type JuteWriter,
  MultiRequest,
  OPEN_ACL,
  OpCode,
  SetDataRequest,
  StatResponse,
} from "@meerkat/wire";
import { RawClient } from "../../support/raw-client.ts";

/** Writes in flight. */
const WINDOW = 24;
const SESSION_TIMEOUT_MS = 40_000;

/** What one writer did since the directory was empty; it outlives the server's processes. */
export class WriterRecord {
  /** `setData` number n writes n; its version must then be n. */
  sets: { sent: number; acknowledged: number } = { sent: 0, acknowledged: 0 };
  /** Names that sequential creates got, and how many were sent. */
  readonly sequential: Set<string> = new Set();
  sequentialSent = 0;
  /** Pairs made by one multi: acknowledged ones, and how many were sent. */
  readonly pairs: Set<number> = new Set();
  pairsSent = 0;
  /** Ephemerals with the session that owns each. */
  readonly ephemerals: Map<string, bigint> = new Map();
  ephemeralsSent = 0;
  readonly sessions: { readonly id: bigint; readonly password: Buffer }[] = [];
  /** Highest zxid that any reply showed. */
  zxidSeen = 0n;
}

type OnReply = (body: JuteReader) => void;

/** The paths of writer `index`, made once. */
export function writerRoot(index: number): string {
  return `/writer-${index}`;
}

/** Makes the znodes that the writer needs. */
export async function prepareWriter(address: { host: string; port: number }, index: number): Promise<void> {
  const client = await RawClient.connect(address);
  const root = writerRoot(index);
  for (const path of [root, `${root}/register`, `${root}/seq`, `${root}/pairs`, `${root}/eph`]) {
    await client.create(path);
  }
  await client.close();
}

/** Writes until the server is gone. */
export class LoadWriter {
  readonly #record: WriterRecord;
  readonly #root: string;
  readonly #client: RawClient;
  readonly #expected = new Map<number, OnReply>();
  #turn = 0;
  #read = 0;

  private constructor(record: WriterRecord, root: string, client: RawClient) {
    this.#record = record;
    this.#root = root;
    this.#client = client;
  }

  /** Opens a session. */
  static async open(
    address: { readonly host: string; readonly port: number },
    record: WriterRecord,
    index: number,
  ): Promise<LoadWriter> {
    const client = await RawClient.connect(address, { timeoutMs: SESSION_TIMEOUT_MS });
    const { session } = client;
    if (session === undefined || session.timeoutMs === 0) throw new Error("no session");
    record.sessions.push({ id: session.sessionId, password: Buffer.from(session.password ?? []) });
    return new LoadWriter(record, writerRoot(index), client);
  }

  /** Replies so far. */
  get acknowledged(): number {
    return this.#read;
  }

  /** The connection is gone and all that came before is read. */
  get ended(): boolean {
    return this.#client.closed;
  }

  /** Takes what arrived and fills the window again. */
  step(): void {
    const { received } = this.#client;
    for (const { header, body } of received) {
      this.#read++;
      const onReply = this.#expected.get(header.xid);
      if (onReply === undefined || header.err !== 0)
        throw new Error(`xid ${header.xid}: error ${header.err}`);
      this.#expected.delete(header.xid);
      if (header.zxid > this.#record.zxidSeen) this.#record.zxidSeen = header.zxid;
      onReply(new JuteReader(body));
    }
    received.length = 0;
    while (!this.#client.closed && this.#expected.size < WINDOW) this.#sendNext();
  }

  destroy(): void {
    this.#client.destroy();
  }

  #sendNext(): void {
    const turn = this.#turn++ % 8;
    if (turn === 0) this.#sendSequential();
    else if (turn === 1) this.#sendPair();
    else if (turn === 2 && this.#turn % 64 === 3) this.#sendEphemeral();
    else this.#sendSet();
  }

  #send(type: number, write: (writer: JuteWriter) => void, onReply: OnReply): void {
    this.#expected.set(this.#client.send(type, write), onReply);
  }

  #sendSet(): void {
    const { sets } = this.#record;
    const number = ++sets.sent;
    const request = { path: `${this.#root}/register`, data: Buffer.from(String(number)), version: -1 };
    this.#send(
      OpCode.setData,
      (writer) => SetDataRequest.write(writer, request),
      (body) => {
        const { stat } = StatResponse.read(body);
        if (stat.version !== sets.acknowledged + 1) {
          throw new Error(`version ${stat.version} after ${sets.acknowledged}`);
        }
        sets.acknowledged = stat.version;
      },
    );
  }

  #sendSequential(): void {
    this.#record.sequentialSent++;
    const request = {
      path: `${this.#root}/seq/n-`,
      data: Buffer.alloc(30),
      acl: OPEN_ACL,
      flags: CreateFlag.persistentSequential,
    };
    this.#send(
      OpCode.create,
      (writer) => CreateRequest.write(writer, request),
      (body) => this.#record.sequential.add(CreateResponse.read(body).path),
    );
  }

  #sendPair(): void {
    const number = ++this.#record.pairsSent;
    const create = { type: OpCode.create, data: null, acl: OPEN_ACL, flags: 0 };
    const operations = ["a", "b"].map((half) => ({
      ...create,
      path: `${this.#root}/pairs/${number}-${half}`,
    }));
    this.#send(
      OpCode.multi,
      (writer) => MultiRequest.write(writer, { operations }),
      () => this.#record.pairs.add(number),
    );
  }

  #sendEphemeral(): void {
    const path = `${this.#root}/eph/${++this.#record.ephemeralsSent}`;
    const owner = this.#client.session?.sessionId ?? 0n;
    const request = { path, data: null, acl: OPEN_ACL, flags: CreateFlag.ephemeral };
    this.#send(
      OpCode.create,
      (writer) => CreateRequest.write(writer, request),
      () => this.#record.ephemerals.set(path, owner),
    );
  }
}
