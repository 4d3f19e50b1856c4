// SPDX-License-Identifier: Apache-2.0
// The system's sockets, over loopback.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import {
  type Listener,
  type Socket,
  type SocketHandler,
  systemRuntime,
  type TlsServerOptions,
} from "@meerkat/runtime";
import { awaitCondition, findProgram, freePorts, scratchDir, toolsAvailable } from "@meerkat/testkit";
import { afterEach, beforeAll, describe, expect, test } from "vitest";

const { net } = systemRuntime;
const HOST = "127.0.0.1";

/** Records what happens to a socket. */
class Recorder implements SocketHandler {
  readonly log: string[] = [];
  readonly chunks: Buffer[] = [];
  closed = false;
  error: Error | undefined;
  socket: Socket | undefined;

  onConnect(): void {
    this.log.push("connect");
  }
  onData(chunk: Buffer): void {
    // The chunk's memory is reused, so a copy is kept.
    this.chunks.push(Buffer.from(chunk));
  }
  onDrain(): void {
    this.log.push("drain");
  }
  onClose(error: Error | undefined): void {
    this.log.push("close");
    this.closed = true;
    this.error = error;
  }
  get text(): string {
    return Buffer.concat(this.chunks).toString("utf8");
  }
  get bytes(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }
}

/** The same, but keeps its own direction open when the peer ends. */
class HalfOpenRecorder extends Recorder {
  onEnd(): void {
    this.log.push("end");
  }
}

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function listen<R extends Recorder>(
  make: () => R,
  tls?: TlsServerOptions,
): Promise<{ readonly listener: Listener; readonly accepted: R[] }> {
  const accepted: R[] = [];
  const listener = await net.listen({ host: HOST, port: 0, tls }, (socket) => {
    const recorder = make();
    recorder.socket = socket;
    accepted.push(recorder);
    cleanups.push(() => socket.destroy());
    return recorder;
  });
  cleanups.push(() => listener.close());
  return { listener, accepted };
}

function connect<R extends Recorder>(target: Parameters<typeof net.connect>[0], recorder: R): R {
  const socket = net.connect(target, recorder);
  recorder.socket = socket;
  cleanups.push(() => socket.destroy());
  return recorder;
}

async function pair(): Promise<{ client: HalfOpenRecorder; server: HalfOpenRecorder; listener: Listener }> {
  const { listener, accepted } = await listen(() => new HalfOpenRecorder());
  const client = connect({ host: HOST, port: listener.port }, new HalfOpenRecorder());
  await awaitCondition(() => client.log.includes("connect") && accepted.length === 1);
  return { client, server: accepted[0] as HalfOpenRecorder, listener };
}

describe("plain sockets", () => {
  test("carry bytes both ways and know both ends' addresses", async () => {
    const { client, server, listener } = await pair();
    client.socket?.write(Buffer.from("ping"));
    server.socket?.write(Buffer.from("pong"));
    await awaitCondition(() => client.text === "pong" && server.text === "ping");
    expect(client.socket).toMatchObject({
      remoteAddress: HOST,
      remotePort: listener.port,
      localAddress: HOST,
    });
    expect(server.socket?.remotePort).toBe(client.socket?.localPort);
    expect(client.socket?.bufferedBytes).toBe(0);
    expect(client.socket?.peerSubject).toBeUndefined();
  });

  test("keep what they wrote before they were connected", async () => {
    const { listener, accepted } = await listen(() => new Recorder());
    const client = connect({ host: HOST, port: listener.port }, new Recorder());
    client.socket?.write(Buffer.from("early"));
    await awaitCondition(() => accepted[0]?.text === "early");
    expect(client.log).toEqual(["connect"]);
  });

  test("carry megabytes unharmed through the shared read buffer, on two sockets at once", async () => {
    const bytes = Buffer.from(systemRuntime.random.bytes(3_000_000));
    const first = await pair();
    const second = await pair();
    first.server.socket?.write(bytes);
    second.server.socket?.write(Buffer.from(bytes).reverse());
    await awaitCondition(() => first.client.bytes === bytes.length && second.client.bytes === bytes.length);
    expect(Buffer.concat(first.client.chunks).equals(bytes)).toBe(true);
    expect(Buffer.concat(second.client.chunks).reverse().equals(bytes)).toBe(true);
  });

  test("report a refused connection as one close with the error", async () => {
    const [port = 0] = await freePorts(1);
    const client = connect({ host: HOST, port }, new Recorder());
    await awaitCondition(() => client.closed);
    expect(client.error).toMatchObject({ code: "ECONNREFUSED" });
    expect(client.log).toEqual(["close"]);
    expect(client.socket?.remoteAddress).toBe("");
  });

  test("connect by a host name that has several addresses", async () => {
    const { listener, accepted } = await listen(() => new Recorder());
    const client = connect({ host: "localhost", port: listener.port }, new Recorder());
    client.socket?.write(Buffer.from("by name"));
    await awaitCondition(() => accepted[0]?.text === "by name");
    accepted[0]?.socket?.write(Buffer.from("answer"));
    await awaitCondition(() => client.text === "answer");
  });

  test("report a name that does not resolve", async () => {
    const client = connect({ host: "no-such-host.invalid", port: 1 }, new Recorder());
    await awaitCondition(() => client.closed, { timeoutMs: 20_000 });
    expect(client.error).toBeInstanceOf(Error);
  });

  test("half-close: the peer still answers after our end", async () => {
    const { client, server } = await pair();
    client.socket?.write(Buffer.from("question"));
    client.socket?.end();
    await awaitCondition(() => server.log.includes("end"));
    expect(server.text).toBe("question");
    server.socket?.write(Buffer.from("answer"));
    await awaitCondition(() => client.text === "answer");
    expect(client.closed).toBe(false);
    server.socket?.end();
    await awaitCondition(() => client.closed && server.closed);
    expect([client.error, server.error]).toEqual([undefined, undefined]);
    expect(client.log).toEqual(["connect", "end", "close"]);
  });

  test("without an end handler a socket ends when its peer does", async () => {
    const { listener, accepted } = await listen(() => new Recorder());
    const client = connect({ host: HOST, port: listener.port }, new HalfOpenRecorder());
    await awaitCondition(() => accepted.length === 1);
    client.socket?.end();
    await awaitCondition(() => client.closed && accepted[0]?.closed === true);
    expect(accepted[0]?.error).toBeUndefined();
  });

  test("a paused socket delivers nothing until it resumes, and then everything", async () => {
    for (const paused of ["client", "server"] as const) {
      const ends = await pair();
      const reader = ends[paused];
      const writer = paused === "client" ? ends.server : ends.client;
      reader.socket?.pause();
      let offered = 0;
      // Writes go on until the kernel's buffers are full, so the pause is seen to hold.
      while (writer.socket?.write(Buffer.alloc(256 * 1024, 1)) === true || offered < 16 * 1024 * 1024) {
        offered += 256 * 1024;
      }
      offered += 256 * 1024;
      await awaitCondition(() => (writer.socket?.bufferedBytes ?? 0) > 0);
      const before = reader.bytes;
      await awaitCondition(() => reader.bytes === before);
      reader.socket?.resume();
      await awaitCondition(() => reader.bytes === offered, { describe: `${offered} bytes at the ${paused}` });
      await awaitCondition(() => writer.log.includes("drain"));
      expect(writer.socket?.bufferedBytes).toBe(0);
    }
  });

  test("destroy closes at once, with our error here and without one when there was none", async () => {
    const { listener, accepted } = await listen(() => new Recorder());
    const client = connect({ host: HOST, port: listener.port }, new Recorder());
    await awaitCondition(() => accepted.length === 1);
    const reason = new Error("enough");
    client.socket?.destroy(reason);
    await awaitCondition(() => client.closed && accepted[0]?.closed === true);
    expect(client.error).toBe(reason);
    client.socket?.destroy(new Error("again"));
    client.socket?.write(Buffer.from("late"));
    expect(client.log.filter((entry) => entry === "close").length).toBe(1);
    const other = await pair();
    other.client.socket?.destroy();
    await awaitCondition(() => other.client.closed);
    expect(other.client.error).toBeUndefined();
  });

  test("a socket that is destroyed while it is accepted closes cleanly", async () => {
    const recorder = new Recorder();
    const listener = await net.listen({ host: HOST, port: 0 }, (socket) => {
      socket.destroy();
      return recorder;
    });
    cleanups.push(() => listener.close());
    const client = connect({ host: HOST, port: listener.port }, new Recorder());
    await awaitCondition(() => recorder.closed && client.closed);
    expect(recorder.error).toBeUndefined();
  });
});

describe("listeners", () => {
  test("refuse an address that is taken", async () => {
    const { listener } = await listen(() => new Recorder());
    const again = net.listen({ host: HOST, port: listener.port }, () => new Recorder());
    await expect(again).rejects.toMatchObject({ code: "EADDRINUSE" });
  });

  test("close frees the port at once while open sockets stay, and may be called twice", async () => {
    const { client, server, listener } = await pair();
    await listener.close();
    await listener.close();
    const successor = await net.listen({ host: HOST, port: listener.port }, () => new Recorder());
    cleanups.push(() => successor.close());
    server.socket?.write(Buffer.from("still here"));
    await awaitCondition(() => client.text === "still here");
  });

  test("resolve gives the addresses of a name and leaves addresses as they are", async () => {
    expect(await net.resolve(HOST)).toEqual([HOST]);
    expect(await net.resolve("::1")).toEqual(["::1"]);
    const local = await net.resolve("localhost");
    expect(local.some((address) => address === HOST || address === "::1")).toBe(true);
    await expect(net.resolve("no-such-host.invalid")).rejects.toBeInstanceOf(Error);
  });
});

describe.runIf(toolsAvailable("TLS sockets", "openssl"))("TLS sockets", () => {
  /** PEM texts by file name. */
  const pem = new Map<string, string>();

  beforeAll(async () => {
    await using directory = await scratchDir();
    const program = findProgram("openssl") ?? "openssl";
    const openssl = (...args: string[]): void => {
      execFileSync(program, args, { cwd: directory.path, stdio: "ignore" });
    };
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    openssl("req", "-x509", ...curve, "-subj", "/CN=Test CA", "-keyout", "ca.key", "-out", "ca.crt");
    for (const [name, subject] of [
      ["server", "/CN=localhost"],
      ["client", "/C=DE/O=Zoo, Inc./CN=keeper"],
    ] as const) {
      openssl(
        "req",
        "-new",
        ...curve.slice(0, 5),
        "-subj",
        subject,
        "-keyout",
        `${name}.key`,
        "-out",
        `${name}.csr`,
      );
      openssl(
        ...["x509", "-req", "-in", `${name}.csr`, "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"],
        ...["-days", "2", "-out", `${name}.crt`],
      );
    }
    for (const file of ["server.key", "server.crt", "client.key", "client.crt", "ca.crt"]) {
      pem.set(file, readFileSync(directory.join(file), "utf8"));
    }
  });

  const server = (clientAuth?: "need"): TlsServerOptions => ({
    cert: pem.get("server.crt"),
    key: pem.get("server.key"),
    ca: pem.get("ca.crt"),
    clientAuth,
  });

  test("connect after the handshake and carry bytes both ways", async () => {
    const { listener, accepted } = await listen(() => new Recorder(), server());
    const tls = { ca: pem.get("ca.crt"), serverName: "localhost" };
    const client = connect({ host: HOST, port: listener.port, tls }, new Recorder());
    client.socket?.write(Buffer.from("secret"));
    await awaitCondition(() => accepted[0]?.text === "secret");
    accepted[0]?.socket?.write(Buffer.from("answer"));
    await awaitCondition(() => client.text === "answer");
    expect(client.log).toEqual(["connect"]);
    expect(accepted[0]?.socket?.peerSubject).toBeUndefined();
  });

  test.each([
    ["an unknown authority", (): object => ({ serverName: "localhost" })],
    ["another name", (): object => ({ ca: pem.get("ca.crt"), serverName: "elsewhere" })],
    ["no name but an address that the certificate lacks", (): object => ({ ca: pem.get("ca.crt") })],
  ])("refuse a certificate with %s", async (_case, tls) => {
    const { listener } = await listen(() => new Recorder(), server());
    const client = connect({ host: HOST, port: listener.port, tls: tls() }, new Recorder());
    await awaitCondition(() => client.closed);
    expect(client.error).toBeInstanceOf(Error);
    expect(client.log).toEqual(["close"]);
  });

  test("accept any certificate when told to", async () => {
    const { listener } = await listen(() => new Recorder(), server());
    const client = connect({ host: HOST, port: listener.port, tls: { insecure: true } }, new Recorder());
    await awaitCondition(() => client.log.includes("connect"));
  });

  test("show the verified client's subject the way RFC 2253 writes it", async () => {
    const { listener, accepted } = await listen(() => new Recorder(), server("need"));
    const tls = {
      ca: pem.get("ca.crt"),
      serverName: "localhost",
      cert: pem.get("client.crt"),
      key: pem.get("client.key"),
    };
    connect({ host: HOST, port: listener.port, tls }, new Recorder());
    await awaitCondition(() => accepted.length === 1);
    expect(accepted[0]?.socket?.peerSubject).toBe("CN=keeper,O=Zoo\\, Inc.,C=DE");
  });

  test("a listener that needs client certificates refuses a client without and goes on", async () => {
    const { listener, accepted } = await listen(() => new Recorder(), server("need"));
    const tls = { ca: pem.get("ca.crt"), serverName: "localhost" };
    const without = connect({ host: HOST, port: listener.port, tls }, new Recorder());
    await awaitCondition(() => without.closed);
    const own = { ...tls, cert: pem.get("client.crt"), key: pem.get("client.key") };
    const client = connect({ host: HOST, port: listener.port, tls: own }, new Recorder());
    await awaitCondition(() => client.log.includes("connect") && accepted.length === 1);
  });

  test("half-close as plain ones do: the peer still answers after our end", async () => {
    const { listener, accepted } = await listen(() => new HalfOpenRecorder(), server());
    const tls = { ca: pem.get("ca.crt"), serverName: "localhost" };
    const client = connect({ host: HOST, port: listener.port, tls }, new HalfOpenRecorder());
    await awaitCondition(() => accepted.length === 1 && client.log.includes("connect"));
    client.socket?.end();
    await awaitCondition(() => accepted[0]?.log.includes("end") === true);
    accepted[0]?.socket?.write(Buffer.from("late answer"));
    accepted[0]?.socket?.end();
    await awaitCondition(() => client.closed);
    expect(client.text).toBe("late answer");
    expect(client.error).toBeUndefined();
  });
});
