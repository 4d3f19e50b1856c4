// SPDX-License-Identifier: Apache-2.0
// The server as its clients see it, byte by byte.
import { arg, defineService, f32, InvalidOperation, i32, implement, RpcServer } from "@meerkat/rpc";
import { awaitCondition } from "@meerkat/testkit";
import { describe, expect, it } from "vitest";
import { divide, divideRequest, divideService, error, listen, request, result } from "./divide.ts";
import { RawClient } from "./raw-client.ts";

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(" ", ""), "hex");
}

describe("the server speaks the seed's wire", () => {
  it("with the seed's bytes", async () => {
    await using server = await listen();
    await using client = await RawClient.connect(server);
    client.write(hex("00000006 646976696465 0000000a 01000000c8 0200000064"));
    await client.expectBytes(hex("01 40000000"));
    client.write(hex("00000006 646976696465 00000005 01000000c8"));
    await client.expectBytes(hex("01 43480000"));
    client.write(divideRequest(1, 3));
    await client.expectBytes(hex("01 3eaaaaab"));
    client.write(divideRequest(1, 0));
    await client.expectBytes(hex("02 00000011"), Buffer.from("invalid operation"));
    expect(server.stats).toMatchObject({
      connectionsAccepted: 1,
      requests: 4,
      results: 3,
      declaredErrors: 1,
    });
  });

  it("the same for every split of the bytes", async () => {
    await using server = await listen();
    await using client = await RawClient.connect(server);
    const bytes = Buffer.concat([
      divideRequest(200, 100),
      divideRequest(7, 0),
      request("mul", hex("0100000001")),
    ]);
    const replies = Buffer.concat([result(2), error("invalid operation"), error("unknown method mul")]);
    for (let at = 1; at < bytes.length; at++) {
      client.write(bytes.subarray(0, at));
      // The first piece has arrived when the server has answered what is whole in it.
      await new Promise((resolve) => setImmediate(resolve));
      client.write(bytes.subarray(at));
      await client.expectBytes(replies);
    }
    for (const byte of bytes) {
      client.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await client.expectBytes(replies);
  });

  it("and answers pipelined requests in their order, however long each takes", async () => {
    const release: (() => void)[] = [];
    await using server = await listen(async ({ num1, num2 }) => {
      if (num1 % 2 === 0) await new Promise<void>((resolve) => release.push(resolve));
      return num1 / num2;
    });
    await using client = await RawClient.connect(server);
    client.write(Buffer.concat([2, 3, 4, 5].map((num1) => divideRequest(num1, 1))));
    await awaitCondition(() => release.length === 1);
    expect(server.stats.inFlight).toBe(1);
    release.shift()?.();
    await client.expectBytes(result(2), result(3));
    await awaitCondition(() => release.length === 1);
    release.shift()?.();
    await client.expectBytes(result(4), result(5));
  });

  it("and sends the replies of one chunk in one piece", async () => {
    for (const handler of [divide, async ({ num1 }: { num1: number }) => num1]) {
      await using server = await listen(handler);
      await using client = await RawClient.connect(server);
      client.write(Buffer.concat(Array.from({ length: 100 }, (_, index) => divideRequest(index, 1))));
      await client.expectBytes(...Array.from({ length: 100 }, (_, index) => result(index)));
      expect(client.chunks).toBe(1);
    }
  });
});

describe("a method that does not exist", () => {
  it("is answered with an error, and the connection stays in step", async () => {
    await using server = await listen();
    await using client = await RawClient.connect(server);
    client.write(request("mul", hex("0100000064 0200000007")), divideRequest(4, 2));
    await client.expectBytes(error("unknown method mul"), result(2));
    client.write(request("", hex("")), request("toString", hex("")), divideRequest(9, 3));
    await client.expectBytes(error("unknown method "), error("unknown method toString"), result(3));
    expect(server.stats.unknownMethods).toBe(3);
  });

  it("is consumed without a reply where that is asked for, and the connection stays in step", async () => {
    await using server = await listen(divide, { onUnknownMethod: "ignore" });
    await using client = await RawClient.connect(server);
    // The seed reads these ten bytes of arguments as the name of the next method.
    client.write(request("mul", hex("0100000064 0200000007")), divideRequest(4, 2));
    await client.expectBytes(result(2));
  });

  it("ends the connection where that is asked for, after the replies before it", async () => {
    await using server = await listen(divide, { onUnknownMethod: "close" });
    await using client = await RawClient.connect(server);
    client.write(Buffer.concat([divideRequest(4, 2), request("mul", hex("")), divideRequest(6, 2)]));
    await client.expectBytes(result(2));
    await client.expectClosed();
    expect(server.stats.results).toBe(1);
  });
});

describe("arguments that do not fit", () => {
  it("are answered with an error, and the connection stays in step", async () => {
    await using server = await listen();
    await using client = await RawClient.connect(server);
    client.write(request("divide", hex("03000000010100000001")), divideRequest(4, 2));
    await client.expectBytes(error("unknown argument 3 of divide"), result(2));
    client.write(request("divide", hex("0100")), divideRequest(6, 2));
    await client.expectBytes(error("truncated argument num1 of divide"), result(3));
    client.write(request("divide", hex("")), divideRequest(8, 2));
    await client.expectBytes(error("missing argument num1 of divide"), result(4));
    client.write(request("divide", hex("0100000001 0200000002 0100000008")));
    await client.expectBytes(result(4));
    expect(server.stats.badArguments).toBe(3);
  });

  it("given twice are refused where that is asked for", async () => {
    await using server = await listen(divide, { duplicateArguments: "error" });
    await using client = await RawClient.connect(server);
    client.write(request("divide", hex("0100000001 0100000008")));
    await client.expectBytes(error("duplicate argument num1 of divide"));
  });
});

describe("what a handler does", () => {
  it("by throwing InvalidOperation crosses with the message, its length counted in bytes", async () => {
    for (const handler of [
      () => {
        throw new InvalidOperation("除数不能为零");
      },
      async () => {
        await Promise.resolve();
        throw new InvalidOperation("除数不能为零");
      },
    ]) {
      await using server = await listen(handler);
      await using client = await RawClient.connect(server);
      client.write(divideRequest(1, 0));
      await client.expectBytes(hex("02 00000012"), Buffer.from("除数不能为零"));
    }
  });

  it("by failing otherwise tells clients nothing, tells the log everything, and keeps the connection", async () => {
    const logged: unknown[] = [];
    const ignore = (): void => {};
    const logger = {
      debug: ignore,
      info: ignore,
      warn: ignore,
      error: (fields: object) => logged.push(fields),
    };
    const failures = [new Error("password is 1234"), "a string", undefined, { code: 7 }];
    let next = 0;
    await using server = await listen(
      () => {
        // oxlint-disable-next-line typescript/only-throw-error -- users do throw other things
        throw failures[next++];
      },
      { runtime: { logger } },
    );
    await using client = await RawClient.connect(server);
    for (const _ of failures) {
      client.write(divideRequest(1, 1));
      await client.expectBytes(error("internal error"));
    }
    expect(server.stats.internalErrors).toBe(failures.length);
    expect(logged).toMatchObject(failures.map((err) => ({ service: "divide", method: "divide", err })));
  });

  it("by returning an integer is a result like any other", async () => {
    await using server = await listen(() => 7);
    await using client = await RawClient.connect(server);
    client.write(divideRequest(7, 1));
    await client.expectBytes(result(7));
  });

  it("by returning not-a-number or an infinity is sent as it is", async () => {
    const values = [NaN, Infinity, -Infinity, -0];
    let next = 0;
    await using server = await listen(() => values[next++] as number);
    await using client = await RawClient.connect(server);
    for (const bytes of ["7fc00000", "7f800000", "ff800000", "80000000"]) {
      client.write(divideRequest(1, 1));
      await client.expectBytes(hex(`01${bytes}`));
    }
  });

  it("by returning a number too large for the wire is an error, not a silent infinity", async () => {
    await using server = await listen(() => 1e39);
    await using client = await RawClient.connect(server);
    client.write(divideRequest(1, 1));
    await client.expectBytes(error("the result of divide does not fit f32"));
  });

  it("by returning something else is an internal error", async () => {
    for (const value of ["2", undefined, null, {}, 2n]) {
      await using server = await listen(() => value as unknown as number);
      await using client = await RawClient.connect(server);
      client.write(divideRequest(1, 1));
      await client.expectBytes(error("internal error"));
      expect(server.stats.internalErrors).toBe(1);
    }
  });

  it("by settling twice is answered once", async () => {
    const thenable = {
      // biome-ignore lint/suspicious/noThenProperty: a badly made promise is what this is about.
      then(resolve: (value: number) => void, reject: (error: Error) => void): void {
        setImmediate(() => {
          resolve(1);
          resolve(2);
          reject(new Error("late"));
        });
      },
    };
    await using server = await listen(() => thenable as unknown as Promise<number>);
    await using client = await RawClient.connect(server);
    client.write(divideRequest(1, 1));
    await client.expectBytes(result(1));
    client.write(divideRequest(1, 1));
    await client.expectBytes(result(1));
    expect(server.stats.inFlight).toBe(0);
  });
});

describe("services", () => {
  const Other = defineService("other", { negate: { args: { value: arg(1, i32) }, result: f32 } });

  it("share a port", async () => {
    const negate = implement(Other, { negate: ({ value }) => -value });
    await using server = await RpcServer.listen({ services: [divideService(), negate] });
    await using client = await RawClient.connect(server);
    client.write(request("negate", hex("0100000007")), divideRequest(4, 2));
    await client.expectBytes(result(-7), result(2));
  });

  it("with the same method name are refused, since the wire could not tell them apart", async () => {
    await expect(RpcServer.listen({ services: [divideService(), divideService()] })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: "divide and divide both have a method divide; the wire cannot tell them apart",
    });
  });

  it("may be instances of a class", async () => {
    class Negator {
      readonly #sign = -1;
      negate({ value }: { readonly value: number }): number {
        return this.#sign * value;
      }
    }
    await using server = await RpcServer.listen({ services: [implement(Other, new Negator())] });
    await using client = await RawClient.connect(server);
    client.write(request("negate", hex("0100000007")));
    await client.expectBytes(result(-7));
  });

  it("without a handler are refused", () => {
    // @ts-expect-error the handler is missing
    expect(() => implement(Other, {})).toThrow("the service other needs a handler negate");
  });
});

describe("listening", () => {
  it("on an address that is taken says so", async () => {
    await using server = await listen();
    await expect(listen(divide, { port: server.port })).rejects.toMatchObject({
      code: "LISTEN_FAILED",
      effect: "none",
      message: expect.stringContaining(`cannot listen on 127.0.0.1:${server.port}: `),
    });
  });

  it("with wrong options names every fault at once", async () => {
    const options = { connectionsMax: 0, onUnknownMethod: "explode", idleTimeout: 5 } as object;
    await expect(listen(divide, options)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message:
        "connectionsMax is not a positive integer; onUnknownMethod is none of error, ignore, close; " +
        "idleTimeout is not an option",
    });
  });
});
