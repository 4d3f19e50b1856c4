// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { InstanceFields } from "./instance.ts";
import type { EncodedInstance } from "./instance-codec.ts";
import { seedCodec } from "./seed-codec.ts";

const PATH = "/rpc/server0000000001";
const encode = (instance: InstanceFields): EncodedInstance =>
  seedCodec.encode(instance, { root: "/rpc", registeredAtMs: 0 });
const decodeText = (text: string): ReturnType<typeof seedCodec.decode> =>
  seedCodec.decode(PATH, Buffer.from(text));

describe("writing", () => {
  test("gives the seed's bytes, further keys behind host and port", () => {
    expect(encode({ host: "127.0.0.1", port: 8001 }).data.toString()).toBe(
      '{"host": "127.0.0.1", "port": 8001}',
    );
    const { data, mode, name } = encode({
      weight: 2,
      labels: { a: [1, "x"], none: null },
      port: 8001,
      host: "127.0.0.1",
      gone: undefined,
    });
    expect(data.toString()).toBe(
      '{"host": "127.0.0.1", "port": 8001, "weight": 2, "labels": {"a": [1, "x"], "none": null}}',
    );
    expect([name, mode]).toEqual(["server", "ephemeralSequential"]);
  });

  test.each([
    [{ host: "", port: 1 }, "host"],
    [{ host: "h".repeat(256), port: 1 }, "host"],
    [{ host: "h", port: 1.5 }, "port"],
    [{ host: "h", port: 65_536 }, "port"],
    [{ host: "h", port: 1, weight: -1 }, "weight"],
    [{ host: "h", port: 1, weight: Number.NaN }, "weight"],
    [{ host: "h", port: 1, id: "" }, "id"],
    [{ host: "h", port: 1, note: "x".repeat(70_000) }, "bytes"],
  ])("refuses %j", (instance, word) => {
    expect(() => encode(instance)).toThrowError(expect.objectContaining({ code: "INVALID_INSTANCE" }));
    expect(() => encode(instance)).toThrowError(new RegExp(word));
  });
});

describe("reading", () => {
  test("takes host and port, and keeps the rest as metadata", () => {
    expect(decodeText('{"port":8001,"zone":"a","host":"h","id":"i-1","weight":3}')).toEqual({
      kind: "member",
      identity: "id i-1",
      endpoints: [{ id: "i-1", host: "h", port: 8001, weight: 3, path: PATH, metadata: { zone: "a" } }],
    });
  });

  test.each([["-1"], ['"2"'], ["null"], ["1e999"]])("a weight of %s counts as none", (weight) => {
    expect(decodeText(`{"host":"h","port":1,"weight":${weight}}`)).toMatchObject({
      endpoints: [{ weight: 1 }],
    });
  });

  test("a child without data is no instance and no fault", () => {
    expect(decodeText("")).toEqual({ kind: "other" });
  });

  test.each([
    ["x"],
    ["[]"],
    ["null"],
    ["3"],
    ["{}"],
    ['{"host":"h"}'],
    ['{"host":1,"port":1}'],
    ['{"host":"h","port":"1"}'],
  ])("%s is bad", (text) => {
    expect(decodeText(text).kind).toBe("bad");
  });

  test("never throws, whatever the bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        seedCodec.decode(PATH, Buffer.from(bytes));
      }),
    );
    fc.assert(
      fc.property(fc.json(), (text) => {
        decodeText(text);
      }),
    );
  });

  test("reads back what it wrote", () => {
    const instance = fc.record({
      host: fc.domain(),
      port: fc.integer({ min: 1, max: 65_535 }),
      weight: fc.double({ min: 0, max: 1_000, noNaN: true }),
      metadata: fc.dictionary(
        fc.string().filter((key) => !["host", "port", "id", "weight", "__proto__"].includes(key)),
        fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)),
      ),
    });
    fc.assert(
      fc.property(instance, ({ host, port, weight, metadata }) => {
        const { data } = encode({ host, port, weight, ...metadata });
        expect(JSON.parse(data.toString())).toMatchObject({ host, port });
        const decoded = seedCodec.decode(PATH, data);
        // -0 is written as 0.
        expect(decoded).toMatchObject({
          kind: "member",
          endpoints: [{ id: `${host}:${port}`, host, port, weight: weight + 0, metadata: { ...metadata } }],
        });
      }),
    );
  });
});
