// SPDX-License-Identifier: Apache-2.0
import { InvalidArgumentError } from "@meerkat/runtime";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteWriter } from "../../bytes/byte-writer.ts";
import { arg, defineService, type MethodContract } from "../../contract.ts";
import { f32, i32 } from "../../value-type.ts";
import { ArgumentParser, type ArgumentValues, type DuplicatePolicy, writeRequest } from "./arguments.ts";
import { SeedFormatError, seedLimitDefaults } from "./format.ts";
import { SeedRequestDecoder } from "./request-decoder.ts";

const { methods } = defineService("divide", {
  divide: { args: { num1: arg(1, i32), num2: arg(2, i32, { default: 1 }) }, result: f32 },
  sum: { args: { a: arg(7, i32, { optional: true }), b: arg(255, i32, { default: 5 }) }, result: f32 },
});
const [divide, sum] = methods as [MethodContract, MethodContract];

function encode(method: MethodContract, values: ArgumentValues): string {
  const writer = new ByteWriter();
  writeRequest(writer, method, values);
  return writer.take().toString("hex");
}

function parse(method: MethodContract, hex: string, duplicates: DuplicatePolicy = "last"): unknown {
  // Bytes around the block must never be looked at.
  const bytes = Buffer.from(`ff${hex}01`, "hex");
  return new ArgumentParser(duplicates).read(method, bytes, 1, bytes.length - 1);
}

/** Feeds the pieces one after the other, each in memory that is overwritten afterwards, as sockets do. */
function decode(pieces: readonly Buffer[]): { requests: string[]; decoder: SeedRequestDecoder } {
  const decoder = new SeedRequestDecoder(seedLimitDefaults);
  const requests: string[] = [];
  for (const piece of pieces) {
    const chunk = Buffer.from(piece);
    decoder.queue.feed(chunk);
    while (decoder.next()) {
      const { name, argsStart, argsEnd, queue } = decoder;
      requests.push(`${name} ${queue.bytes.toString("hex", argsStart, argsEnd)}`);
    }
    decoder.queue.keep();
    chunk.fill(0xee);
  }
  return { requests, decoder };
}

describe("a request", () => {
  it("has the seed's bytes for divide(200, 100)", () => {
    expect(encode(divide, { num1: 200, num2: 100 })).toBe(
      "00000006" + "646976696465" + "0000000a" + "01000000c8" + "0200000064",
    );
  });

  it("leaves out an argument that equals its default, as the seed's client does", () => {
    const seed = "00000006" + "646976696465" + "00000005" + "01000000c8";
    expect(encode(divide, { num1: 200 })).toBe(seed);
    expect(encode(divide, { num1: 200, num2: 1 })).toBe(seed);
    expect(encode(sum, {})).toBe("00000003" + "73756d" + "00000000");
  });

  it.each([
    [{}, "divide needs the argument num1"],
    [{ num1: undefined }, "divide needs the argument num1"],
    [{ num1: 2 ** 31 }, "num1 of divide: 2147483648 is not an integer"],
    [{ num1: 1, num2: 0.5 }, "num2 of divide: 0.5 is not an integer"],
    [{ num1: "7" }, "num1 of divide: a value of type string is not an integer"],
  ])("with %o is refused before a byte is written", (values, message) => {
    const writer = new ByteWriter();
    writeRequest(writer, divide, { num1: 1 });
    const length = writer.length;
    expect(() => writeRequest(writer, divide, values)).toThrow(InvalidArgumentError);
    expect(() => writeRequest(writer, divide, values)).toThrow(message);
    expect(writer.length).toBe(length);
  });

  it("comes back as it was written, whatever the arguments", () => {
    const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    fc.assert(
      fc.property(int32, fc.option(int32, { nil: undefined }), (num1, num2) => {
        const { requests } = decode([Buffer.from(encode(divide, { num1, num2 }), "hex")]);
        expect(requests).toHaveLength(1);
        const hex = (requests[0] as string).slice("divide ".length);
        expect(parse(divide, hex)).toEqual({ num1, num2: num2 ?? 1 });
      }),
    );
  });
});

describe("the request decoder", () => {
  const stream = Buffer.from(
    encode(divide, { num1: 200, num2: 100 }) + encode(sum, {}) + encode(divide, { num1: -1 }),
    "hex",
  );
  const whole = ["divide 01000000c80200000064", "sum ", "divide 01ffffffff"];

  it("gives the same requests for every split in two", () => {
    for (let at = 0; at <= stream.length; at++) {
      const { requests, decoder } = decode([stream.subarray(0, at), stream.subarray(at)]);
      expect(requests).toEqual(whole);
      expect(decoder.atBoundary).toBe(true);
    }
  });

  it("gives the same requests byte by byte", () => {
    expect(decode([...stream].map((byte) => Buffer.from([byte]))).requests).toEqual(whole);
  });

  it("gives the same requests for any split", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length), { maxLength: 12 }), (cuts) => {
        const edges = [0, ...cuts.sort((a, b) => a - b), stream.length];
        const pieces = edges.slice(1).map((edge, index) => stream.subarray(edges[index], edge));
        expect(decode(pieces).requests).toEqual(whole);
      }),
    );
  });

  it("knows whether it stands between two requests", () => {
    expect(decode([stream.subarray(0, 24)]).decoder.atBoundary).toBe(true);
    for (const inside of [1, 4, 7, 10, 13, 14, 20, 23]) {
      expect(decode([stream.subarray(0, inside)]).decoder.atBoundary, `after ${inside}`).toBe(false);
    }
  });

  it("keeps no more memory than has arrived, whatever length is declared", () => {
    const { decoder } = decode([Buffer.from("00000006646976696465" + "00010000" + "0102", "hex")]);
    expect(decoder.queue.bytes.length).toBeLessThan(1024);
    expect(decoder.queue.length).toBe(2);
  });

  it("gives up its memory when nothing waits", () => {
    const { decoder } = decode([stream.subarray(0, 30), stream.subarray(30)]);
    expect(decoder.queue.bytes.length).toBe(0);
  });

  it("takes names and arguments up to the limits, and not a byte more", () => {
    const block = (length: number): Buffer => {
      const bytes = Buffer.alloc(4 + length, 0x61);
      bytes.writeUInt32BE(length);
      return bytes;
    };
    const { requests } = decode([Buffer.concat([block(255), block(65_536)])]);
    expect(requests[0]).toHaveLength(255 + 1 + 2 * 65_536);
    expect(() => decode([block(256)])).toThrow(SeedFormatError);
    expect(() => decode([Buffer.concat([block(1), block(65_537).subarray(0, 4)])])).toThrow(
      "arguments of 65537",
    );
    expect(() => decode([Buffer.from("ffffffff", "hex")])).toThrow(
      "method name of 4294967295 bytes declared",
    );
  });

  it("refuses a name that is not UTF-8, but takes a replacement character that was really sent", () => {
    expect(() => decode([Buffer.from("00000002" + "c328", "hex")])).toThrow("not UTF-8");
    expect(decode([Buffer.from("00000003" + "efbfbd" + "00000000", "hex")]).requests).toEqual(["\ufffd "]);
  });
});

describe("the arguments", () => {
  it.each([
    ["in order", "01000000080200000002", { num1: 8, num2: 2 }],
    ["in any order", "02000000020100000008", { num1: 8, num2: 2 }],
    ["without one that has a default", "0100000008", { num1: 8, num2: 1 }],
    ["given twice: the last counts, as in Python", "010000000701000000080200000002", { num1: 8, num2: 2 }],
  ])("are read %s", (_title, hex, expected) => {
    expect(parse(divide, hex)).toEqual(expected);
  });

  it("are all defaults when the block is empty, and optional ones are not there at all", () => {
    expect(parse(sum, "")).toEqual({ b: 5 });
    expect(Object.keys(parse(sum, "") as object)).toEqual(["b"]);
  });

  it.each([
    ["an unknown number", "03000000080100000001", "unknown argument 3 of divide"],
    ["the number 0", "0000000008", "unknown argument 0 of divide"],
    ["a value cut short", "01000000", "truncated argument num1 of divide"],
    ["a number without a value", "010000000802", "truncated argument num2 of divide"],
    ["a required one missing", "0200000002", "missing argument num1 of divide"],
    ["nothing where something is required", "", "missing argument num1 of divide"],
  ])("with %s are answered with an error", (_title, hex, text) => {
    expect(parse(divide, hex)).toBe(text);
  });

  it("given twice are an error where that is asked for", () => {
    expect(parse(divide, "01000000070100000008", "error")).toBe("duplicate argument num1 of divide");
    expect(parse(divide, "01000000070200000008", "error")).toEqual({ num1: 7, num2: 8 });
  });
});
