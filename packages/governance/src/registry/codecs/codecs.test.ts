// SPDX-License-Identifier: Apache-2.0
// What holds for every layout that can be written.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type InstanceFields, instanceIdentity } from "../instance.ts";
import { type InstanceCodec, isInstanceCodec } from "../instance-codec.ts";
import { codecByName, layoutNames } from "./codec-by-name.ts";
import { serverSetWeightCodec } from "./serverset-weights.ts";

const CONTEXT = { root: "/services/orders", registeredAtMs: 1_700_000_000_000 };
const decoders = layoutNames.map((name) => codecByName(name));
const codecs = decoders.filter(isInstanceCodec);

/** The path that a registration would have. */
function pathOf(codec: InstanceCodec, instance: InstanceFields): string {
  const { name, mode } = codec.encode(instance, CONTEXT);
  return `${CONTEXT.root}/${name}${mode === "ephemeralSequential" ? "0000000007" : ""}`;
}

/** Instances that no layout takes, but for those that write the field as one text. */
const REFUSED: readonly { what: string; instance: InstanceFields; except?: readonly string[] }[] = [
  { what: "no host", instance: { host: "", port: 1 } },
  { what: "no port", instance: { host: "h", port: 0 } },
  { what: "a negative weight", instance: { host: "h", port: 1, weight: -1 } },
  { what: "too long", instance: { host: "h", port: 1, note: "x".repeat(70_000) } },
  { what: "a big integer", instance: { host: "h", port: 1, big: 1n } },
  {
    what: "nested too deep",
    instance: { host: "h", port: 1, nested: JSON.parse(`${"[".repeat(50)}${"]".repeat(50)}`) as unknown },
    except: ["spring", "dubbo2", "dubbo3", "serverset"],
  },
];

const hosts = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6());
const ports = fc.integer({ min: 1, max: 65_535 });

describe.each(codecs.map((codec) => [codec.name, codec] as const))("%s", (_name, codec) => {
  test("reads back what it wrote, by a name that it takes for a member's", () => {
    const instances = fc.record({
      host: hosts,
      port: ports,
      id: fc.option(fc.stringMatching(/^[a-z0-9:_-]{1,20}$/), { nil: undefined }),
      weight: codec.name === "serverset" ? fc.constant(1) : fc.integer({ min: 0, max: 1_000 }),
      zone: fc.stringMatching(/^[a-z0-9 ü~'/-]{0,20}[a-z]$/).map((text) => text.trim()),
    });
    fc.assert(
      fc.property(instances, (instance) => {
        const { data } = codec.encode(instance, CONTEXT);
        const path = pathOf(codec, instance);
        expect(codec.isMember(path.slice(CONTEXT.root.length + 1))).toBe(true);
        const { host, port, id, weight, zone } = instance;
        expect(codec.decode(path, data)).toMatchObject({
          kind: "member",
          identity: codec.identity?.(instance) ?? instanceIdentity(instance),
          endpoints: [{ id: id ?? `${host}:${port}`, host, port, weight, metadata: { zone } }],
        });
      }),
      { numRuns: 100 },
    );
  });

  test("writes again what it read, with nothing lost", () => {
    const instance: InstanceFields = { host: "h", port: 1, id: "i-1", weight: 1, zone: "a", version: "2" };
    const path = pathOf(codec, instance);
    const first = codec.encode(instance, CONTEXT);
    const decoded = codec.decode(path, first.data);
    if (decoded.kind !== "member") throw new Error(`not a member: ${JSON.stringify(decoded)}`);
    const [{ host, port, id, weight, metadata } = expect.fail("no endpoint")] = decoded.endpoints;
    const again = codec.encode({ host, port, id, weight, ...metadata }, { ...CONTEXT, registeredAtMs: 1 });
    const second = codec.decode(pathOf(codec, instance), again.data);
    expect({ ...again, data: undefined }).toEqual({ ...first, data: undefined });
    expect(second).toEqual(decoded);
  });

  test.each(REFUSED.filter(({ except = [] }) => !except.includes(codec.name)))(
    "refuses what its readers could not use ($what)",
    ({ instance }) => {
      expect(() => codec.encode(instance, CONTEXT)).toThrowError(
        expect.objectContaining({ code: "INVALID_INSTANCE" }),
      );
    },
  );

  test("keeps unknown fields in a rewrite, and refuses to make another instance", () => {
    if (codec.rewrite === undefined) {
      expect(codec.name).toBe("dubbo2");
      return;
    }
    const instance = { host: "h", port: 1, id: "i-1", zone: "a" };
    const { data } = codec.encode(instance, CONTEXT);
    const text = data.toString().replace(/^\{/, '{"unknown":[9007199254740993, 2.0],');
    const changed = codec.rewrite(Buffer.from(text), { zone: "b", tag: "t", version: undefined });
    expect(changed.toString()).toContain("[9007199254740993, 2.0]");
    const path = pathOf(codec, instance);
    expect(codec.decode(path, changed)).toMatchObject({
      kind: "member",
      endpoints: [{ id: "i-1", host: "h", port: 1, metadata: { zone: "b", tag: "t" } }],
    });
    const { rewrite } = codec;
    for (const changes of [{ host: "x" }, { port: 2 }, { id: "other" }, { weight: -1 }, { weight: "1" }]) {
      expect(() => rewrite(data, changes)).toThrowError(
        expect.objectContaining({ code: "INVALID_INSTANCE" }),
      );
    }
    expect(() => rewrite(Buffer.from([0x7b, 0xff]), { zone: "b" })).toThrowError(/UTF-8/);
    expect(() => rewrite(Buffer.from("[]"), { zone: "b" })).toThrowError(/JSON object/);
  });
});

describe.each([...decoders, serverSetWeightCodec].map((codec) => [codec.name, codec] as const))(
  "hostile data in %s",
  (name, codec) => {
    const names = [
      "server0000000001",
      "member_0000000001",
      "vector_0000000001",
      "tcp@h:1",
      "h:1",
      "%",
      "dubbo%3A%2F%2Fh%3A1%2Fi%3Fweight%3D%FF",
      "dubbo%3A%2F%2Fh%3A99999%2Fi",
      "bolt%3A%2F%2F%2F",
    ];

    test("never throws, whatever names and bytes are", () => {
      const keys = fc.constantFrom(
        "host",
        "port",
        "weight",
        "name",
        "id",
        "address",
        "payload",
        "metadata",
        "serviceEndpoint",
        "vector",
        "select",
        "partitionDesc",
        "weights",
        "0",
        "endpoints",
        "Weight",
        "Tags",
        "enabled",
      );
      const { value } = fc.letrec((tie) => ({
        value: fc.oneof(
          { depthSize: "small" },
          fc.jsonValue({ maxDepth: 1 }),
          fc.dictionary(keys, tie("value")),
          fc.array(tie("value"), { maxLength: 3 }),
        ),
      }));
      fc.assert(
        fc.property(fc.oneof(fc.constantFrom(...names), fc.webPath()), value, (child, data) => {
          const decoded = codec.decode(`/r/${child}`, Buffer.from(JSON.stringify(data)));
          codec.isMember(child);
          if (decoded.kind === "bad") expect(decoded.reason).not.toBe("");
        }),
        { numRuns: 100 },
      );
      fc.assert(
        fc.property(fc.constantFrom(...names), fc.uint8Array({ maxLength: 200 }), (child, bytes) => {
          codec.decode(`/r/${child}`, Buffer.from(bytes));
        }),
        { numRuns: 50 },
      );
    });

    test("gives no endpoint for data nested so deep that comparing it would overflow the stack", () => {
      if (["dubbo2", "sofarpc"].includes(name)) return;
      const deep = `{"host":"h","port":1,"address":"h","serviceEndpoint":{"host":"h","port":1},"x":${"[".repeat(30_000)}${"]".repeat(30_000)}}`;
      for (const child of names) {
        const decoded = codec.decode(`/r/${child}`, Buffer.from(deep));
        const metadata = decoded.kind === "member" ? decoded.endpoints.map((entry) => entry.metadata) : [];
        expect(() => JSON.stringify(metadata)).not.toThrow();
      }
    });
  },
);

test("layouts are found by name, and an unknown name is told which there are", () => {
  expect(codecByName("curator").name).toBe("curator");
  expect(layoutNames.slice(0, 7)).toEqual([
    "seed",
    "nerve",
    "curator",
    "spring",
    "dubbo2",
    "dubbo3",
    "serverset",
  ]);
  expect(codecs).toHaveLength(7);
  expect(() => codecByName("consul")).toThrowError(/seed, nerve/);
});
