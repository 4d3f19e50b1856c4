// SPDX-License-Identifier: Apache-2.0
import { seededRandom } from "@meerkat/runtime";
import { describe, expect, test } from "vitest";
import { formatHost, HostList, isAddress, parseConnectString } from "./host-list.ts";

describe("a connect string", () => {
  test("names hosts, ports and a chroot", () => {
    expect(parseConnectString("a, b:99 ,[::1]:2182,[fe80::1%eth0],10.0.0.1/x/y")).toEqual({
      hosts: [
        { host: "a", port: 2181 },
        { host: "b", port: 99 },
        { host: "::1", port: 2182 },
        { host: "fe80::1%eth0", port: 2181 },
        { host: "10.0.0.1", port: 2181 },
      ],
      chroot: "/x/y",
    });
    expect(parseConnectString("a/").chroot).toBe("");
  });

  test.each(["", ",", "a:0", "a:65536", "a:b", "::1", "a b", "[::1", "a:1/x/", "a:1//x", "a:1/../x"])(
    "%j is refused with what is expected",
    (text) => {
      expect(() => parseConnectString(text)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    },
  );

  test("prints hosts the way it reads them", () => {
    expect(formatHost({ host: "::1", port: 1 })).toBe("[::1]:1");
    expect(formatHost({ host: "a", port: 1 })).toBe("a:1");
  });

  test("tells addresses from names", () => {
    expect(["10.0.0.1", "::1", "a", "10.example"].map(isAddress)).toEqual([true, true, false, false]);
  });
});

describe("a host list", () => {
  const hosts = Array.from({ length: 5 }, (_, index) => ({ host: `h${index}`, port: 1 }));

  test("goes round all hosts, in an order that differs between clients", () => {
    const orders = [1, 2, 3].map((seed) => {
      const list = new HostList(hosts, { random: seededRandom(seed), shuffle: true });
      const first = hosts.map(() => list.next().host);
      expect(hosts.map(() => list.next().host)).toEqual(first);
      expect(first.toSorted()).toEqual(hosts.map(({ host }) => host));
      return first.join();
    });
    expect(new Set(orders).size).toBeGreaterThan(1);
  });

  test("keeps the order when asked to, prefers a host, and can be replaced", () => {
    const list = new HostList(hosts, { random: seededRandom(1), shuffle: false });
    expect([list.next().host, list.next().host]).toEqual(["h0", "h1"]);
    list.prefer({ host: "h4", port: 1 });
    expect([list.next().host, list.next().host]).toEqual(["h4", "h0"]);
    list.replace([{ host: "new", port: 1 }]);
    expect([list.size, list.next().host, list.next().host]).toEqual([1, "new", "new"]);
  });
});
