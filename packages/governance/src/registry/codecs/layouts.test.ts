// SPDX-License-Identifier: Apache-2.0
// The exact texts and names of the layouts that can be written, as the systems they come from write them.
import { describe, expect, test } from "vitest";
import type { InstanceCodec } from "../instance-codec.ts";
import { curatorCodec } from "./curator-codec.ts";
import { dubbo2Codec } from "./dubbo2-codec.ts";
import { nerveCodec } from "./nerve-codec.ts";
import { serverSetCodec } from "./serverset-codec.ts";
import { serverSetWeightCodec, serverSetWeights } from "./serverset-weights.ts";
import { javaUrlDecode, javaUrlEncode } from "./service-url.ts";
import { dubbo3Codec, springCodec } from "./zookeeper-instance-codec.ts";

const AT_MS = 1_700_000_000_000;

function encoded(
  codec: InstanceCodec,
  root: string,
  instance: Parameters<InstanceCodec["encode"]>[0],
): { name: string; mode: string; text: string } {
  const { name, mode, data } = codec.encode(instance, { root, registeredAtMs: AT_MS });
  return { name, mode, text: data.toString() };
}

const INVALID = expect.objectContaining({ code: "INVALID_INSTANCE" });

describe("nerve", () => {
  test("is a sequential child with the id as name", () => {
    expect(
      encoded(nerveCodec, "/nerve/services/orders/services", {
        port: 8080,
        host: "10.0.0.5",
        weight: 10,
        id: "i-1234",
        labels: { az: "a" },
      }),
    ).toEqual({
      name: "i-1234_",
      mode: "ephemeralSequential",
      text: '{"host":"10.0.0.5","port":8080,"name":"i-1234","weight":10,"labels":{"az":"a"}}',
    });
  });

  test("takes integers as weight only, when writing and when reading", () => {
    const context = { root: "/r", registeredAtMs: 0 };
    expect(() => nerveCodec.encode({ host: "h", port: 1, weight: 0.5 }, context)).toThrowError(INVALID);
    expect(nerveCodec.decode("/r/a", Buffer.from('{"host":"h","port":1,"weight":0.5}'))).toMatchObject({
      endpoints: [{ weight: 1, id: "h:1" }],
    });
  });
});

describe("curator", () => {
  const root = "/services/orders";

  test("is Jackson's text of a ServiceInstance under the id", () => {
    expect(
      encoded(curatorCodec(), root, { host: "10.0.0.5", port: 8080, id: "6f1c", zone: "a", weight: 2 }),
    ).toEqual({
      name: "6f1c",
      mode: "ephemeral",
      text:
        '{"name":"orders","id":"6f1c","address":"10.0.0.5","port":8080,"sslPort":null,' +
        '"payload":{"@class":"java.util.LinkedHashMap","zone":"a","weight":2},' +
        '"registrationTimeUTC":1700000000000,"serviceType":"DYNAMIC","uriSpec":null}',
    });
    expect(encoded(curatorCodec(), root, { host: "h", port: 1 })).toMatchObject({
      name: "h:1",
      text: expect.stringContaining('"payload":null') as string,
    });
  });

  test("writes the payload class and Curator's own fields that are asked for", () => {
    const { text } = encoded(curatorCodec({ payloadClass: "com.acme.Payload" }), root, {
      host: "h",
      port: 1,
      val: "x",
      curator: { sslPort: 443, name: "other", enabled: false },
    });
    expect(text).toBe(
      '{"name":"other","id":"h:1","address":"h","port":1,"sslPort":443,' +
        '"payload":{"@class":"com.acme.Payload","val":"x"},' +
        '"registrationTimeUTC":1700000000000,"serviceType":"DYNAMIC","uriSpec":null,"enabled":false}',
    );
    expect(curatorCodec().decode("/r/h:1", Buffer.from(text))).toMatchObject({
      endpoints: [
        {
          weight: 0,
          metadata: { val: "x", curator: { name: "other", sslPort: 443, payloadClass: "com.acme.Payload" } },
        },
      ],
    });
  });

  test.each([['"text"'], ['["java.lang.Long",5]'], ['["java.util.ArrayList",["a"]]']])(
    "carries a payload of %s unchanged",
    (payload) => {
      const text = `{"name":"orders","id":"i","address":"h","port":1,"sslPort":null,"payload":${payload},"registrationTimeUTC":5,"serviceType":"DYNAMIC","uriSpec":null}`;
      const decoded = curatorCodec().decode("/services/orders/i", Buffer.from(text));
      if (decoded.kind !== "member") throw new Error("no member");
      const [{ host, port, id, metadata } = expect.fail("no endpoint")] = decoded.endpoints;
      expect(metadata).toMatchObject({ curator: { payload: JSON.parse(payload) as unknown } });
      expect(encoded(curatorCodec(), root, { host, port, id, ...metadata }).text).toBe(text);
      expect(() => curatorCodec().rewrite?.(Buffer.from(text), { zone: "a" })).toThrowError(INVALID);
    },
  );

  test("reads TLS-only instances, and those of an old or hurried writer", () => {
    const read = (text: string): unknown => curatorCodec().decode("/services/orders/node", Buffer.from(text));
    expect(read('{"name":"o","id":"i","address":"h","port":null,"sslPort":443}')).toMatchObject({
      endpoints: [{ id: "i", port: 443 }],
    });
    expect(read('{"address":"h","port":1,"payload":{"weight":"3"}}')).toMatchObject({
      identity: "id node",
      endpoints: [{ id: "node", weight: 3, metadata: {} }],
    });
    expect(read('{"address":null,"port":1}')).toMatchObject({ kind: "bad" });
  });

  test("drains by a rewrite of enabled, everything else as it was", () => {
    const text =
      '{"name":"o","id":"i","address":"h","port":1,"sslPort":null,"payload":{"@class":"com.acme.P","n":2.0},"registrationTimeUTC":5,"serviceType":"DYNAMIC","uriSpec":null,"enabled":true}';
    expect(
      curatorCodec()
        .rewrite?.(Buffer.from(text), { curator: { enabled: false } })
        .toString(),
    ).toBe(text.replace("true}", "false}"));
    expect(curatorCodec().rewrite?.(Buffer.from(text), { weight: 3 }).toString()).toBe(
      text.replace('"n":2.0', '"n":2.0,"weight":3'),
    );
    expect(() => curatorCodec().rewrite?.(Buffer.from(text), { curator: { id: "x" } })).toThrowError(INVALID);
  });

  test.each(["a/b", "..", "a\u0000b"])("refuses the id %j, which can be no znode", (id) => {
    expect(() => encoded(curatorCodec(), root, { host: "h", port: 1, id })).toThrowError(INVALID);
  });
});

describe("spring", () => {
  test("is Curator's text with Spring's payload, all fields as texts", () => {
    const { name, text } = encoded(springCodec, "/services/orders", {
      host: "10.0.0.5",
      port: 8080,
      id: "u-1",
      weight: 3,
      tags: ["a", "b"],
      nothing: null,
    });
    expect(name).toBe("u-1");
    expect(text).toBe(
      '{"name":"orders","id":"u-1","address":"10.0.0.5","port":8080,"sslPort":null,"payload":' +
        '{"@class":"org.springframework.cloud.zookeeper.discovery.ZookeeperInstance","id":"orders:8080","name":"orders",' +
        '"metadata":{"instance_status":"UP","weight":"3","tags":"[\\"a\\",\\"b\\"]"}},' +
        '"registrationTimeUTC":1700000000000,"serviceType":"DYNAMIC","uriSpec":{"parts":[' +
        '{"value":"scheme","variable":true},{"value":"://","variable":false},{"value":"address","variable":true},' +
        '{"value":":","variable":false},{"value":"port","variable":true}]}}',
    );
  });

  test("an instance that is out of service gets no new calls", () => {
    const { text } = encoded(springCodec, "/services/orders", { host: "h", port: 1, weight: 3 });
    const data = springCodec.rewrite?.(Buffer.from(text), { instance_status: "OUT_OF_SERVICE" });
    expect(springCodec.decode("/r/h:1", data ?? Buffer.alloc(0))).toMatchObject({
      endpoints: [{ weight: 0, metadata: { instance_status: "OUT_OF_SERVICE" } }],
    });
    expect(springCodec.decode("/r/h:1", Buffer.from(text))).toMatchObject({ endpoints: [{ weight: 3 }] });
  });
});

test("dubbo3 is Curator's text with Dubbo's payload under host:port", () => {
  const instance = {
    host: "10.0.0.5",
    port: 20_880,
    "dubbo.endpoints": [{ port: 20_880, protocol: "dubbo" }],
    "dubbo.metadata.revision": "da3be8",
    "dubbo.metadata.storage-type": "remote",
  };
  const { name, text } = encoded(dubbo3Codec, "/services/demo-provider", instance);
  expect(name).toBe("10.0.0.5:20880");
  expect(text).toBe(
    '{"name":"demo-provider","id":"10.0.0.5:20880","address":"10.0.0.5","port":20880,"sslPort":null,"payload":' +
      '{"@class":"org.apache.dubbo.registry.zookeeper.ZookeeperInstance","id":"10.0.0.5:20880","name":"demo-provider",' +
      '"metadata":{"timestamp":"1700000000000","dubbo.endpoints":"[{\\"port\\":20880,\\"protocol\\":\\"dubbo\\"}]",' +
      '"dubbo.metadata.revision":"da3be8","dubbo.metadata.storage-type":"remote"}},' +
      '"registrationTimeUTC":1700000000000,"serviceType":"DYNAMIC","uriSpec":null}',
  );
  expect(dubbo3Codec.decode(`/r/${name}`, Buffer.from(text))).toMatchObject({ endpoints: [{ weight: 100 }] });
});

describe("dubbo2", () => {
  const root = "/dubbo/org.acme.DemoService/providers";
  const URL_TEXT =
    "dubbo://10.0.0.5:20880/org.acme.DemoService?anyhost=true&application=demo-provider&deprecated=false&dubbo=2.0.2&dynamic=true&generic=false&group=g1&interface=org.acme.DemoService&methods=sayHello,sayBye&pid=1&release=3.3.1&revision=1.0&side=provider&timestamp=1700000000000&version=1.0.0&weight=200";
  const INSTANCE = {
    host: "10.0.0.5",
    port: 20_880,
    weight: 200,
    anyhost: true,
    application: "demo-provider",
    deprecated: false,
    dubbo: "2.0.2",
    generic: false,
    group: "g1",
    methods: "sayHello,sayBye",
    pid: 1,
    release: "3.3.1",
    revision: "1.0",
    version: "1.0.0",
  };

  test("is the provider's URL as the name, byte for byte", () => {
    const { name, mode, text } = encoded(dubbo2Codec(), root, INSTANCE);
    expect(javaUrlDecode(name)).toBe(URL_TEXT);
    expect(name).toBe(
      "dubbo%3A%2F%2F10.0.0.5%3A20880%2Forg.acme.DemoService%3Fanyhost%3Dtrue%26application%3Ddemo-provider%26deprecated%3Dfalse%26dubbo%3D2.0.2%26dynamic%3Dtrue%26generic%3Dfalse%26group%3Dg1%26interface%3Dorg.acme.DemoService%26methods%3DsayHello%2CsayBye%26pid%3D1%26release%3D3.3.1%26revision%3D1.0%26side%3Dprovider%26timestamp%3D1700000000000%26version%3D1.0.0%26weight%3D200",
    );
    expect([mode, text]).toEqual(["ephemeral", ""]);
  });

  test("encodes as Java does", () => {
    expect(javaUrlEncode("aZ9.-*_ ~!'()ü€😀+%")).toBe(
      "aZ9.-*_+%7E%21%27%28%29%C3%BC%E2%82%AC%F0%9F%98%80%2B%25",
    );
  });

  test("reads the name alone, and Dubbo's defaults", () => {
    const path = `${root}/${javaUrlEncode("tri://[::1]:50051/org.acme.DemoService?side=provider")}`;
    expect(dubbo2Codec().decode(path, Buffer.from("10.0.0.9"))).toEqual({
      kind: "member",
      identity: "provider tri://::1:50051 /0.0.0",
      endpoints: [
        {
          id: "::1:50051",
          host: "::1",
          port: 50_051,
          weight: 100,
          path,
          metadata: { side: "provider", protocol: "tri", path: "org.acme.DemoService" },
        },
      ],
    });
    const disabled = `${root}/${javaUrlEncode("dubbo://h:1/i?enabled=false&weight=5")}`;
    expect(dubbo2Codec().decode(disabled, Buffer.alloc(0))).toMatchObject({ endpoints: [{ weight: 0 }] });
    const marker = `${root}/${javaUrlEncode("empty://h:1/i")}`;
    expect(dubbo2Codec().decode(marker, Buffer.alloc(0))).toEqual({ kind: "other" });
  });

  test("narrows to a group and a version", () => {
    const name = (query: string): string => javaUrlEncode(`dubbo://h:1/i?${query}`);
    const codec = dubbo2Codec({ group: "g1", version: "1.0.0" });
    expect(codec.isMember(name("group=g1&version=1.0.0"))).toBe(true);
    expect(codec.isMember(name("group=g2&version=1.0.0"))).toBe(false);
    expect(codec.isMember(name("group=g1"))).toBe(false);
    expect(dubbo2Codec({ group: "", version: "0.0.0" }).isMember(name("side=provider"))).toBe(true);
    expect(dubbo2Codec({ group: "*" }).isMember(name("group=g1"))).toBe(true);
    expect(codec.isMember("routers")).toBe(false);
  });

  test.each([
    { note: "a&b" },
    { note: "a;b" },
    { note: " a" },
    { "a=b": "c" },
    { weight: 0.5 },
    { protocol: "a b" },
    { path: "a?b" },
  ])("refuses %j, which Dubbo would read differently", (fields) => {
    expect(() => encoded(dubbo2Codec(), root, { host: "h", port: 1, ...fields })).toThrowError(INVALID);
  });
});

describe("serverset", () => {
  const root = "/discovery/prod/orders";

  test("is a member with endpoints, status and shard", () => {
    expect(
      encoded(serverSetCodec(), root, {
        host: "10.0.0.3",
        port: 8080,
        zone: "a",
        serverset: { shard: 3, additionalEndpoints: { http: { host: "10.0.0.1", port: 8082 } } },
      }),
    ).toEqual({
      name: "member_",
      mode: "ephemeralSequential",
      text: '{"serviceEndpoint":{"host":"10.0.0.3","port":8080},"additionalEndpoints":{"http":{"host":"10.0.0.1","port":8082}},"status":"ALIVE","shard":3,"metadata":{"zone":"a"}}',
    });
    expect(() => encoded(serverSetCodec(), root, { host: "h", port: 1, weight: 2 })).toThrowError(
      /serverSetWeightCodec/,
    );
  });

  test("writes every weight as a JSON double: Finagle takes an integer for 1.0", () => {
    expect(
      serverSetWeights([
        { select: "member=member_0000000007", weight: 2 },
        { select: "shard=3", weight: 0.1 },
        { select: "inet=h:1", weight: -1 },
        { select: "inet=h:2", weight: 1e21 },
      ]).toString(),
    ).toBe(
      '{"vector":[{"select":"member=member_0000000007","weight":2.0,"priority":1},{"select":"shard=3","weight":0.1,"priority":1},{"select":"inet=h:1","weight":-1.0,"priority":1},{"select":"inet=h:2","weight":1e+21,"priority":1}]}',
    );
    expect(encoded(serverSetWeightCodec, root, { host: "10.0.0.3", port: 8080, weight: 2 })).toEqual({
      name: "vector_",
      mode: "ephemeralSequential",
      text: '{"vector":[{"select":"inet=10.0.0.3:8080","weight":2.0,"priority":1}]}',
    });
  });

  test("reads one additional endpoint where that is asked for", () => {
    const data = Buffer.from(
      '{"serviceEndpoint":{"host":"a","port":1},"additionalEndpoints":{"http":{"host":"b","port":2}},"status":"ALIVE"}',
    );
    const path = `${root}/member_0000000001`;
    expect(serverSetCodec({ endpoint: "http" }).decode(path, data)).toMatchObject({
      endpoints: [{ host: "b" }],
    });
    expect(serverSetCodec({ endpoint: "admin" }).decode(path, data)).toEqual({ kind: "other" });
    expect(serverSetCodec({ endpoint: "toString" }).decode(path, data)).toEqual({ kind: "other" });
  });

  test("one that is not alive gets no calls", () => {
    const data = Buffer.from('{"serviceEndpoint":{"host":"a","port":1},"status":"STOPPING"}');
    expect(serverSetCodec().decode(`${root}/member_1`, data)).toMatchObject({ endpoints: [{ weight: 0 }] });
  });

  test("a vector gives the product of all that select an endpoint", () => {
    const vector = serverSetCodec().decode(
      `${root}/vector_0000000001`,
      Buffer.from(
        '{"vector":[{"select":"inet=a:1","weight":0.5},{"select":"member=member_1","weight":4.0},{"select":"shard=3","weight":3.0},{"select":"inet=b:1","weight":-1.0},{"select":7,"weight":9},{"select":"inet=a:1","weight":"9"},null]}',
      ),
    );
    const member = (host: string, name: string, shard?: number): number => {
      const metadata = { serverset: { shard } };
      const endpoint = { id: "", host, port: 1, weight: 1, path: `${root}/${name}`, metadata };
      return vector.kind === "weights" ? vector.factorOf(endpoint) : Number.NaN;
    };
    expect(member("a", "member_1", 3)).toBe(6);
    expect(member("a", "member_2")).toBe(0.5);
    expect(member("c", "member_2")).toBe(1);
    expect(member("b", "member_1", 3)).toBeLessThan(0);
    expect(serverSetCodec().decode(`${root}/vector_1`, Buffer.from("{}"))).toMatchObject({ kind: "bad" });
  });
});
