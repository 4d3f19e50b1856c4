// SPDX-License-Identifier: Apache-2.0
// Ending a client's session behind its back, so that a test need not wait for a timeout.
import net from "node:net";
import type { ZooKeeperClient } from "@meerkat/client";
import {
  ConnectRequest,
  ConnectResponse,
  FrameDecoder,
  JuteReader,
  JuteWriter,
  OpCode,
  ReplyHeader,
  RequestHeader,
} from "@meerkat/wire";
import { timingMultiple } from "./await-condition.ts";
import { TestkitError } from "./testkit-error.ts";

const FRAME_BYTES_MAX = 1024;
const TIMEOUT_MS = 10_000;
const MASK_48 = (1n << 48n) - 1n;
const MULTIPLIER = 0x5_deec_e66dn;

/**
 * The password that ZooKeeper gives a session: 16 bytes of java.util.Random seeded with the id and a
 * constant (SessionTrackerImpl, ZooKeeperServer.generatePasswd). It is a checksum, not a secret.
 */
export function sessionPassword(sessionId: bigint): Buffer {
  const password = Buffer.alloc(16);
  let state = (sessionId ^ 0xb341_5c00n ^ MULTIPLIER) & MASK_48;
  for (let offset = 0; offset < 16; offset += 4) {
    state = (state * MULTIPLIER + 0xbn) & MASK_48;
    password.writeUInt32LE(Number(state >> 16n), offset);
  }
  return password;
}

function frame(write: (writer: JuteWriter) => void): Buffer {
  const writer = new JuteWriter(128);
  const start = writer.beginFrame();
  write(writer);
  writer.endFrame(start);
  return writer.take();
}

/** Takes a session over on a connection of its own and closes it. Resolves when the server has. */
function closeSession(
  address: { readonly host: string; readonly port: number },
  sessionId: bigint,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ ...address, noDelay: true });
    const fail = (message: string): void => {
      socket.destroy();
      reject(new TestkitError("TIMEOUT", message));
    };
    let isOpen = false;
    const decoder = new FrameDecoder(FRAME_BYTES_MAX, (bytes, start, end) => {
      const reader = new JuteReader(bytes, start, end);
      if (!isOpen) {
        // A timeout of 0 means that the session is gone already: what was asked for.
        isOpen = ConnectResponse.read(reader).timeoutMs > 0;
        if (isOpen)
          socket.write(frame((writer) => RequestHeader.write(writer, { xid: 1, type: OpCode.closeSession })));
      } else if (ReplyHeader.read(reader).xid !== 1) {
        return true;
      } else {
        isOpen = false;
      }
      if (!isOpen) {
        socket.destroy();
        resolve();
      }
      return isOpen;
    });
    socket.setTimeout(TIMEOUT_MS * timingMultiple(), () =>
      fail("the server did not close the session in time"),
    );
    socket.on("data", (chunk) => decoder.push(chunk));
    socket.on("error", reject);
    socket.on("close", () => fail("the server closed the connection before it closed the session"));
    socket.on("connect", () => {
      socket.write(
        frame((writer) =>
          ConnectRequest.write(writer, {
            protocolVersion: 0,
            lastZxidSeen: 0n,
            timeoutMs: TIMEOUT_MS,
            sessionId,
            password: sessionPassword(sessionId),
            readOnly: false,
          }),
        ),
      );
    });
  });
}

/**
 * Ends the client's session at the server: its ephemerals go at once, and the client finds it expired as
 * soon as it is connected again. Works with Apache's servers and with ours, which both give passwords that
 * follow from the id.
 */
export async function expireSession(client: ZooKeeperClient): Promise<void> {
  const { server, sessionId } = client;
  const colon = server?.lastIndexOf(":") ?? -1;
  if (server === undefined || colon < 0) {
    throw new TestkitError("NOT_STARTED", `no session to expire, the client is ${client.explain()}`);
  }
  const host = server.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  await closeSession({ host, port: Number(server.slice(colon + 1)) }, sessionId);
}
