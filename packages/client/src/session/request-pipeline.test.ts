// SPDX-License-Identifier: Apache-2.0
import type { Net, SocketHandler } from "@meerkat/runtime";
import { VirtualClock } from "@meerkat/testkit";
import { JuteReader } from "@meerkat/wire";
import { expect, test } from "vitest";
import { Chroot } from "../chroot.ts";
import { Connection, silentHandler } from "../connection/connection.ts";
import { closeSessionOperation } from "./close-session.ts";
import { Request } from "./request.ts";
import { RequestPipeline } from "./request-pipeline.ts";
import { TickClock } from "./tick-clock.ts";

test("transaction numbers start over at 1 after the largest, and replies still match", async () => {
  const clock = new VirtualClock();
  const written: Buffer[] = [];
  const net: Net = {
    connect: (target, _handler: SocketHandler) => ({
      remoteAddress: target.host,
      remotePort: target.port,
      localAddress: "",
      localPort: 0,
      bufferedBytes: 0,
      peerSubject: undefined,
      write: (bytes) => written.push(Buffer.from(bytes)) > 0,
      pause() {},
      resume() {},
      end() {},
      destroy() {},
    }),
    listen: () => Promise.reject(new Error("not here")),
    resolve: () => Promise.resolve([]),
  };
  const pipeline = new RequestPipeline({
    clock,
    ticks: new TickClock(clock),
    chroot: new Chroot(""),
    watches: { needsServerWatch: () => true, register() {}, orphaned() {} },
    requestTimeoutMs: 0,
    inFlightMax: 10,
    waitingMax: 10,
    requestBytesMax: 1_000,
    explain: () => "",
    firstXid: 0x7fff_fffe,
  });
  const options = { net, clock, target: { host: "a", port: 1 }, frameBytesMax: 1_000, paceReads: true };
  pipeline.attach(new Connection(options, silentHandler));
  const calls = Array.from({ length: 4 }, () =>
    pipeline.submit(new Request(closeSessionOperation, "/"), undefined),
  );
  await clock.settle();
  const frames = Buffer.concat(written);
  const xids = [0, 1, 2, 3].map((index) => frames.readInt32BE(index * 12 + 4));
  expect(xids).toEqual([0x7fff_fffe, 0x7fff_ffff, 1, 2]);
  for (const xid of xids) pipeline.onReply(new JuteReader(Buffer.alloc(0)), xid, 0);
  expect(await Promise.all(calls)).toEqual([true, true, true, true]);
});
