// SPDX-License-Identifier: Apache-2.0
// The layouts that are only read, by an example of each as the system writes it.
import { expect, test } from "vitest";
import type { InstanceDecoder } from "../instance-codec.ts";
import { armeriaDecoder } from "./armeria-decoder.ts";
import { d2Decoder } from "./d2-decoder.ts";
import { kitexDecoder } from "./kitex-decoder.ts";
import { kratosDecoder } from "./kratos-decoder.ts";
import { motanDecoder } from "./motan-decoder.ts";
import { rpcxDecoder } from "./rpcx-decoder.ts";
import { sofaRpcDecoder } from "./sofarpc-decoder.ts";

function read(decoder: InstanceDecoder, name: string, data: string | Buffer): unknown {
  if (!decoder.isMember(name)) return "no member";
  const decoded = decoder.decode(`/r/${name}`, Buffer.from(data as string));
  if (decoded.kind !== "member") return decoded.kind;
  return decoded.endpoints.map(({ host, port, weight, metadata }) => [host, port, weight, metadata]);
}

test("kitex: weight and tags, the address in the name", () => {
  expect(read(kitexDecoder, "10.0.0.5:8888", '{"Weight":20,"Tags":{"idc":"a"}}')).toEqual([
    ["10.0.0.5", 8888, 20, { idc: "a" }],
  ]);
  expect(read(kitexDecoder, "[::1]:8888", '{"Weight":0}')).toEqual([["::1", 8888, 10, {}]]);
  expect(read(kitexDecoder, "10.0.0.5:8888", "x")).toBe("bad");
  expect(read(kitexDecoder, "config", "{}")).toBe("no member");
});

test("kratos: the first endpoint, or the one of a scheme", () => {
  const data =
    '{"id":"i-1","name":"orders","version":"v1","metadata":{"weight":"5","zone":"a"},"endpoints":["http://10.0.0.5:8000","grpc://10.0.0.5:9000?isSecure=false"]}';
  const metadata = { weight: "5", zone: "a", name: "orders", version: "v1" };
  expect(read(kratosDecoder(), "i-1", data)).toEqual([
    ["10.0.0.5", 8000, 5, { ...metadata, scheme: "http" }],
  ]);
  expect(read(kratosDecoder({ scheme: "grpc" }), "i-1", data)).toMatchObject([["10.0.0.5", 9000, 5, {}]]);
  expect(read(kratosDecoder({ scheme: "ws" }), "i-1", data)).toBe("other");
  expect(read(kratosDecoder(), "i-1", '{"endpoints":["nonsense"]}')).toBe("bad");
  expect(read(kratosDecoder(), "i-1", '{"endpoints":7}')).toBe("bad");
});

test("rpcx: network and address in the name, a query as data", () => {
  expect(read(rpcxDecoder, "tcp@10.0.0.5:8972", "weight=10&group=a")).toEqual([
    ["10.0.0.5", 8972, 10, { group: "a", network: "tcp" }],
  ]);
  expect(read(rpcxDecoder, "tcp@10.0.0.5:8972", "state=inactive&weight=10")).toMatchObject([
    ["10.0.0.5", 8972, 0, {}],
  ]);
  expect(read(rpcxDecoder, "tcp@nowhere", "")).toBe("bad");
  expect(read(rpcxDecoder, "rpcx", "x")).toBe("no member");
});

test("motan: a URL as plain or as serialized Java text", () => {
  const url = "motan://10.0.0.5:8001/com.acme.Demo?group=a&version=1.0&note=a%20b";
  const expected = [
    [
      "10.0.0.5",
      8001,
      1,
      { group: "a", version: "1.0", note: "a b", protocol: "motan", path: "com.acme.Demo" },
    ],
  ];
  const java = Buffer.concat([Buffer.from([0xac, 0xed, 0, 5, 0x74, 0, url.length]), Buffer.from(url)]);
  expect(read(motanDecoder, "10.0.0.5:8001", url)).toEqual(expected);
  expect(read(motanDecoder, "10.0.0.5:8001", java)).toEqual(expected);
  expect(read(motanDecoder, "10.0.0.5:8001", "")).toEqual([["10.0.0.5", 8001, 1, {}]]);
  expect(read(motanDecoder, "10.0.0.5:8001", "text")).toBe("bad");
});

test("sofarpc: a URL as the name", () => {
  const name = "bolt%3A%2F%2F10.0.0.5%3A12200%3FuniqueId%3D%26version%3D1.0%26weight%3D50";
  expect(read(sofaRpcDecoder, name, "")).toEqual([
    ["10.0.0.5", 12_200, 50, { uniqueId: "", version: "1.0", protocol: "bolt" }],
  ]);
  expect(read(sofaRpcDecoder, "bolt%3A%2F%2F10.0.0.5%3A12200", "")).toMatchObject([
    ["10.0.0.5", 12_200, 100, {}],
  ]);
  expect(read(sofaRpcDecoder, "bolt%3A%2F%2F10.0.0.5", "")).toBe("bad");
});

test("armeria: an address with or without a weight", () => {
  expect(read(armeriaDecoder, "x", "10.0.0.5:8080:500")).toEqual([["10.0.0.5", 8080, 500, {}]]);
  expect(read(armeriaDecoder, "x", "[::1]:8080")).toEqual([["::1", 8080, 1_000, {}]]);
  expect(read(armeriaDecoder, "x", "10.0.0.5")).toBe("bad");
  expect(read(armeriaDecoder, "x", "a:1:b")).toBe("bad");
  expect(read(armeriaDecoder, "x", "")).toBe("other");
});

test("d2: all URIs of a child, partitions before plain weights", () => {
  const data =
    '{"clusterName":"Orders","weights":{"http://h:10059/ctx":9.0},"partitionDesc":{"http://h:10059/ctx":{"0":{"weight":0.5}},"https://h:10060/ctx":{"0":{"weight":1.0},"1":{"weight":2.0}}},"uriSpecificProperties":{"http://h:10059/ctx":{"zone":"a"}}}';
  const name = "ephemoral-h-0000003456";
  expect(read(d2Decoder(), name, data)).toEqual([
    ["h", 10_059, 0.5, { zone: "a", clusterName: "Orders", uri: "http://h:10059/ctx" }],
    ["h", 10_060, 1, { clusterName: "Orders", uri: "https://h:10060/ctx" }],
  ]);
  expect(read(d2Decoder({ partition: 1 }), name, data)).toMatchObject([["h", 10_060, 2, {}]]);
  expect(read(d2Decoder(), name, '{"weights":{"http://h:10059/ctx":3}}')).toMatchObject([
    ["h", 10_059, 3, {}],
  ]);
  expect(read(d2Decoder(), name, '{"weights":{"h":3}}')).toBe("bad");
});
