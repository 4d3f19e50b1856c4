// SPDX-License-Identifier: Apache-2.0
// Makes room for a play, looks at what it left behind and removes it: with the rights of the super user, since
// a play may lock everyone out.
import {
  AuthPacket,
  CreateRequest,
  DeleteRequest,
  digestId,
  GetChildrenResponse,
  JuteReader,
  type JuteRecord,
  JuteWriter,
  OPEN_ACL,
  OpCode,
  PathRecord,
  ReadRequest,
  ReplyHeader,
  SetDataRequest,
} from "@meerkat/wire";
import { type Comparable, type Meaning, observeBody } from "./observation.ts";
import { type Address, PlayConnection, requestFrame } from "./play-connection.ts";

const SUPER_PASSWORD = "super:differential";

/** What both servers are started with, so that the steward may do everything. */
export const SUPER_DIGEST: string = digestId("super", "differential");

interface Reply {
  readonly zxid: bigint;
  readonly err: number;
  readonly body: Buffer;
}

/** Where a play's quotas are. */
const quotaOf = (root: string): string => `/zookeeper/quota${root}`;

export class Steward implements AsyncDisposable {
  readonly #connection: PlayConnection;

  private constructor(connection: PlayConnection) {
    this.#connection = connection;
  }

  static async open(address: Address): Promise<Steward> {
    const connection = await PlayConnection.open(address);
    await connection.shakeHands({
      protocolVersion: 0,
      lastZxidSeen: 0n,
      timeoutMs: 60_000,
      sessionId: 0n,
      password: Buffer.alloc(16),
      readOnly: false,
    });
    const steward = new Steward(connection);
    const packet = { type: 0, scheme: "digest", auth: Buffer.from(SUPER_PASSWORD) };
    await steward.#expect(OpCode.auth, AuthPacket, packet);
    return steward;
  }

  /** Creates the znode of a play; gives the zxid from which it counts. */
  async prepare(root: string): Promise<bigint> {
    const request = { path: root, data: null, acl: OPEN_ACL, flags: 0 };
    return (await this.#expect(OpCode.create, CreateRequest, request)).zxid;
  }

  /** Every znode of a play: its data, ACL and stat by path. */
  async dump(root: string, meaning: Meaning): Promise<Comparable> {
    const tree: Record<string, Comparable> = {};
    for (const path of [...(await this.#paths(root)), ...(await this.#paths(quotaOf(root)))]) {
      const data = await this.#ask(OpCode.getData, ReadRequest, { path, watch: false });
      const acl = await this.#ask(OpCode.getACL, PathRecord, { path });
      tree[path.replaceAll(root, "~")] = [
        observeBody(OpCode.getData, new JuteReader(data.body), data.body, meaning),
        observeBody(OpCode.getACL, new JuteReader(acl.body), acl.body, meaning),
      ];
    }
    return tree;
  }

  /** Deletes everything of a play, and what it wrote elsewhere. */
  async remove(root: string): Promise<void> {
    const paths = [...(await this.#paths(quotaOf(root))), ...(await this.#paths(root))];
    for (const path of paths.reverse()) {
      await this.#expect(OpCode.delete, DeleteRequest, { path, version: -1 });
    }
    for (const path of ["/", "/zookeeper"]) {
      await this.#expect(OpCode.setData, SetDataRequest, { path, data: Buffer.alloc(0), version: -1 });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const connection = this.#connection;
    connection.send(requestFrame(++connection.xid, OpCode.closeSession, Buffer.alloc(0)));
    await connection.replies(1);
    await connection.destroy();
  }

  /** A znode and all below it, parents first. */
  async #paths(path: string): Promise<string[]> {
    const { err, body } = await this.#ask(OpCode.getChildren, ReadRequest, { path, watch: false });
    if (err !== 0) return [];
    const paths = [path];
    const { children } = GetChildrenResponse.read(new JuteReader(body));
    for (const name of [...children].sort()) paths.push(...(await this.#paths(`${path}/${name}`)));
    return paths;
  }

  async #expect<T>(type: number, record: JuteRecord<T>, request: T): Promise<Reply> {
    const reply = await this.#ask(type, record, request);
    if (reply.err !== 0) throw new Error(`the steward's operation ${type} failed with ${reply.err}`);
    return reply;
  }

  async #ask<T>(type: number, record: JuteRecord<T>, request: T): Promise<Reply> {
    const connection = this.#connection;
    const writer = new JuteWriter();
    record.write(writer, request);
    connection.take();
    connection.send(requestFrame(++connection.xid, type, writer.take()));
    await connection.replies(1);
    const [frame] = connection.take();
    if (frame === undefined) throw new Error(`no answer to the steward's operation ${type}`);
    const reader = new JuteReader(frame);
    const { zxid, err } = ReplyHeader.read(reader);
    return { zxid, err, body: frame.subarray(reader.position) };
  }
}
