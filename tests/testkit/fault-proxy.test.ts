// SPDX-License-Identifier: Apache-2.0
import net from "node:net";
import { awaitCondition, FaultProxy } from "@meerkat/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

/** One end of a connection, with what happened to it. */
class End {
  readonly socket: net.Socket;
  text = "";
  ended = false;
  closed = false;
  error: NodeJS.ErrnoException | undefined;

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      this.text += chunk;
    });
    socket.on("end", () => {
      this.ended = true;
    });
    socket.on("error", (error) => {
      this.error = error;
    });
    socket.on("close", () => {
      this.closed = true;
    });
  }
}

let server: net.Server;
let accepted: End[];
let proxy: FaultProxy;
let ends: End[];

beforeEach(async () => {
  accepted = [];
  ends = [];
  server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
    accepted.push(new End(socket)),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  proxy = await FaultProxy.start({
    target: { host: "127.0.0.1", port: (server.address() as net.AddressInfo).port },
  });
});

afterEach(async () => {
  for (const end of [...ends, ...accepted]) end.socket.destroy();
  await proxy.close();
  server.close();
});

function open(): End {
  const end = new End(
    net.connect({ host: proxy.host, port: proxy.port, allowHalfOpen: true, noDelay: true }),
  );
  ends.push(end);
  return end;
}

/** A client and the server's end of the same connection, after one byte each way. */
async function pair(): Promise<{ client: End; peer: End }> {
  const client = open();
  client.socket.write("c");
  const before = accepted.length;
  await awaitCondition(() => accepted.length === before + 1 && accepted[before]?.text === "c");
  const peer = accepted[before] as End;
  peer.socket.write("s");
  await awaitCondition(() => client.text === "s");
  client.text = "";
  peer.text = "";
  return { client, peer };
}

/** Resolves once a byte written now has come through, so that earlier ones must have, too. */
async function flushed(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe("FaultProxy", () => {
  test("passes bytes and clean ends both ways, and lists its connections", async () => {
    const { client, peer } = await pair();
    const [connection] = proxy.connections;
    expect(connection).toMatchObject({
      id: 1,
      bytesToServer: 1,
      bytesToClient: 1,
      clientPort: client.socket.localPort,
    });
    client.socket.end("question");
    await awaitCondition(() => peer.ended);
    expect(peer.text).toBe("question");
    peer.socket.end("answer");
    await awaitCondition(() => client.closed && peer.closed && proxy.connections.length === 0);
    expect([client.text, client.error, peer.error, proxy.accepted]).toEqual([
      "answer",
      undefined,
      undefined,
      1,
    ]);
  });

  test("cut resets both sides and still accepts", async () => {
    const { client, peer } = await pair();
    proxy.cut();
    await awaitCondition(() => client.closed && peer.closed);
    expect([client.error?.code, peer.error?.code]).toEqual(["ECONNRESET", "ECONNRESET"]);
    await pair();
  });

  test("a clean cut ends both sides without an error", async () => {
    const { client, peer } = await pair();
    proxy.cut("end");
    await awaitCondition(() => client.ended && peer.ended);
    expect([client.error, peer.error]).toEqual([undefined, undefined]);
  });

  test("a reset on one side becomes a reset on the other", async () => {
    const { client, peer } = await pair();
    peer.socket.resetAndDestroy();
    await awaitCondition(() => client.closed);
    expect(client.error?.code).toBe("ECONNRESET");
  });

  test("refuse refuses new connections and keeps open ones; restore listens on the same port", async () => {
    const { client, peer } = await pair();
    const { port } = proxy;
    await proxy.refuse();
    const refused = open();
    await awaitCondition(() => refused.closed);
    expect(refused.error?.code).toBe("ECONNREFUSED");
    client.socket.write("still");
    await awaitCondition(() => peer.text === "still");
    await proxy.restore();
    expect(proxy.port).toBe(port);
    await pair();
  });

  test("a connection to a target that is down is closed", async () => {
    server.close();
    const client = open();
    await awaitCondition(() => client.closed);
    expect(client.error?.code).toBe("ECONNRESET");
  });

  test("delay holds every chunk at least that long, in order", async () => {
    const { client, peer } = await pair();
    proxy.delay(60, "toServer");
    const startMs = performance.now();
    client.socket.write("a");
    await flushed();
    client.socket.write("b");
    peer.socket.write("at once");
    await awaitCondition(() => client.text === "at once");
    expect(peer.text).toBe("");
    await awaitCondition(() => peer.text === "ab");
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(60);
  });

  test("a blackhole holds one direction and delivers after restore", async () => {
    const { client, peer } = await pair();
    proxy.blackhole("toServer");
    client.socket.write("held");
    client.socket.end();
    peer.socket.write("passes");
    await awaitCondition(() => client.text === "passes");
    expect([peer.text, peer.ended]).toEqual(["", false]);
    await proxy.restore();
    await awaitCondition(() => peer.text === "held" && peer.ended);
  });

  test("a connection made in a blackhole is accepted, goes nowhere, and works after restore", async () => {
    proxy.blackhole();
    const client = open();
    client.socket.write("hello");
    await awaitCondition(() => proxy.accepted === 1 && accepted.length === 1);
    expect(accepted[0]?.text).toBe("");
    await proxy.restore();
    await awaitCondition(() => accepted[0]?.text === "hello");
  });

  test("halfClose ends one direction and leaves the other", async () => {
    const { client, peer } = await pair();
    proxy.halfClose("toClient");
    await awaitCondition(() => client.ended);
    client.socket.write("upstream works");
    await awaitCondition(() => peer.text === "upstream works");
    expect([client.closed, peer.closed, peer.ended]).toEqual([false, false, false]);
  });

  test("throttle limits the rate and loses nothing", async () => {
    const { client, peer } = await pair();
    proxy.throttle(50_000, "toServer");
    const startMs = performance.now();
    client.socket.write(Buffer.alloc(10_000, "x"));
    await awaitCondition(() => peer.text.length === 10_000);
    // 10 kB at 50 kB/s take 200 ms; the last piece leaves one piece's time earlier.
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(150);
  });

  test("fragment hands bytes on in small pieces, all of them", async () => {
    const { client, peer } = await pair();
    let pieces = 0;
    peer.socket.on("data", () => pieces++);
    const before = proxy.connections[0]?.bytesToServer ?? 0;
    proxy.fragment(1, "toServer");
    client.socket.write("0123456789");
    await awaitCondition(() => peer.text === "0123456789");
    expect((proxy.connections[0]?.bytesToServer ?? 0) - before).toBe(10);
    expect(pieces).toBeGreaterThan(0);
  });

  test("corrupt changes bytes in one direction until restore", async () => {
    const { client, peer } = await pair();
    proxy.corrupt("toServer");
    client.socket.write("@@");
    await awaitCondition(() => peer.text === "@A");
    proxy.corrupt("toClient", (bytes) => Buffer.from(bytes.toString("latin1").toUpperCase()));
    peer.socket.write("shout");
    await awaitCondition(() => client.text === "SHOUT");
    await proxy.restore();
    client.socket.write("@@");
    await awaitCondition(() => peer.text === "@A@@");
  });

  test("retarget leads new connections elsewhere", async () => {
    await pair();
    const other = net.createServer((socket) => {
      socket.on("error", () => {});
      socket.end("other");
    });
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    proxy.retarget({ host: "127.0.0.1", port: (other.address() as net.AddressInfo).port });
    const client = open();
    await awaitCondition(() => client.text === "other");
    other.close();
  });

  test("large transfers pass unharmed and do not pile up in the proxy", async () => {
    const { client, peer } = await pair();
    peer.socket.pause();
    const bytes = Buffer.alloc(32 * 1024 * 1024, "y");
    client.socket.write(bytes);
    await awaitCondition(() => (proxy.connections[0]?.bytesToServer ?? 0) > 1);
    // The receiver is stalled, so most of it must still wait at the sender.
    expect(client.socket.writableLength).toBeGreaterThan(bytes.length / 2);
    peer.socket.resume();
    await awaitCondition(() => peer.text.length === bytes.length, { timeoutMs: 30_000 });
  });
});
