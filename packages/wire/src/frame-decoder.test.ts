// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FrameDecoder } from "./frame-decoder.ts";
import { WireFormatError } from "./wire-format-error.ts";

const LIMIT = 64 * 1024;

function framed(payload: Uint8Array): Buffer {
  const frame = Buffer.alloc(4 + payload.length);
  frame.writeInt32BE(payload.length, 0);
  frame.set(payload, 4);
  return frame;
}

/** Cuts `bytes` at the given places, in whatever order they come. */
function split(bytes: Buffer, places: readonly number[]): Buffer[] {
  const cuts = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return cuts.slice(1).map((cut, index) => Buffer.from(bytes.subarray(cuts[index], cut)));
}

/** Feeds chunks and wipes each afterwards, as a socket that reuses its memory would. */
function decode(chunks: readonly Buffer[], limit: number = LIMIT): Buffer[] {
  const frames: Buffer[] = [];
  const decoder = new FrameDecoder(limit, (bytes, start, end) => {
    frames.push(Buffer.from(bytes.subarray(start, end)));
    return true;
  });
  for (const chunk of chunks) {
    decoder.push(chunk);
    chunk.fill(0xee);
  }
  return frames;
}

describe("FrameDecoder", () => {
  test("gives the same frames however the stream is cut into chunks", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 9000 }), { maxLength: 8 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        (payloads, places) => {
          const stream = Buffer.concat(payloads.map(framed));
          expect(decode(split(stream, places))).toEqual(payloads.map((payload) => Buffer.from(payload)));
        },
      ),
      { numRuns: 300 },
    );
  });

  test("gives the same frames when every byte comes alone", () => {
    const payloads = [Buffer.from("one"), Buffer.alloc(0), Buffer.alloc(5000, 7)];
    const stream = Buffer.concat(payloads.map(framed));
    expect(decode(Array.from(stream, (byte) => Buffer.of(byte)))).toEqual(payloads);
  });

  test("hands on a frame that lies whole in a chunk without copying it", () => {
    const chunk = framed(Buffer.from("whole"));
    let seen: Buffer | undefined;
    new FrameDecoder(LIMIT, (bytes) => {
      seen = bytes;
      return true;
    }).push(chunk);
    expect(seen).toBe(chunk);
  });

  test.each([LIMIT + 1, 0x7fff_ffff, -1, -0x8000_0000])("refuses a declared length of %d", (length) => {
    const head = Buffer.alloc(4);
    head.writeInt32BE(length, 0);
    expect(() => decode([Buffer.from(head)])).toThrow(WireFormatError);
    expect(() => decode(Array.from(head, (byte) => Buffer.of(byte)))).toThrow(WireFormatError);
  });

  test("takes a frame of exactly the limit", () => {
    expect(decode([framed(Buffer.alloc(10, 1))], 10)).toEqual([Buffer.alloc(10, 1)]);
  });

  test("holds no more than what arrived, whatever length is declared", () => {
    const decoder = new FrameDecoder(0x7fff_ffff, () => true);
    const before = process.memoryUsage().arrayBuffers;
    const head = Buffer.alloc(100);
    head.writeInt32BE(0x7fff_fff0, 0);
    decoder.push(head);
    expect(decoder.pendingBytes).toBe(100);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024);
  });

  test("holds nothing after whole frames", () => {
    const decoder = new FrameDecoder(LIMIT, () => true);
    const stream = Buffer.concat([framed(Buffer.alloc(3)), framed(Buffer.alloc(3))]);
    decoder.push(stream.subarray(0, 9));
    expect(decoder.pendingBytes).toBe(2);
    decoder.push(stream.subarray(9));
    expect(decoder.pendingBytes).toBe(0);
  });

  test("stops in the middle of a chunk when the sink says so", () => {
    const stream = Buffer.concat(["a", "b", "c"].map((name) => framed(Buffer.from(name))));
    for (const chunks of [[stream], [stream.subarray(0, 2), stream.subarray(2)]]) {
      const seen: string[] = [];
      const decoder = new FrameDecoder(LIMIT, (bytes, start, end) => {
        seen.push(bytes.toString("utf8", start, end));
        return false;
      });
      for (const chunk of chunks) decoder.push(chunk);
      expect(seen).toEqual(["a"]);
      expect(decoder.pendingBytes).toBe(0);
    }
  });

  test("tells how far it came, so that a stopped stream goes on without losing a frame", () => {
    const names = ["a", "bb", "", "cccc", "d"];
    const stream = Buffer.concat(names.map((name) => framed(Buffer.from(name))));
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 8 }), (places) => {
        const seen: string[] = [];
        const decoder = new FrameDecoder(LIMIT, (bytes, start, end) => {
          seen.push(bytes.toString("utf8", start, end));
          return false;
        });
        for (const chunk of split(stream, places)) {
          for (let rest = chunk; rest.length > 0; ) rest = rest.subarray(decoder.push(rest));
        }
        expect(seen).toEqual(names);
      }),
    );
  });

  test("gives a WireFormatError or frames for random streams, never another error", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        fc.array(fc.nat(), { maxLength: 6 }),
        (noise, places) => {
          try {
            decode(split(Buffer.from(noise), places));
          } catch (error) {
            expect(error).toBeInstanceOf(WireFormatError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
