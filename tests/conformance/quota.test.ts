// SPDX-License-Identifier: Apache-2.0
// Quotas are znodes, and the text of the stats znode is what counts.
import {
  DeleteRequest,
  ErrorCode,
  GetDataResponse,
  OpCode,
  ReadRequest,
  SetDataRequest,
} from "@meerkat/wire";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RawClient } from "../support/raw-client.ts";
import { describeEachZooKeeper } from "../support/zookeepers.ts";

describeEachZooKeeper("quotas", (zk) => {
  let client: RawClient;
  beforeEach(async () => {
    client = await RawClient.connect(zk);
    await client.create(quota(""));
  });
  afterEach(async () => {
    await client.close();
  });

  const at = (path: string): string => zk.chroot + path;
  const quota = (name: string): string => `/zookeeper/quota${zk.chroot}${name}`;
  async function stats(): Promise<string | undefined> {
    const request = { path: quota("/zookeeper_stats"), watch: false };
    const { data, stat } = await client.call(OpCode.getData, [ReadRequest, request], GetDataResponse);
    expect(stat.dataLength).toBe(data?.length);
    return data?.toString();
  }
  async function set(path: string, text: string): Promise<void> {
    const request = { path, data: Buffer.from(text), version: -1 };
    expect(await client.code(OpCode.setData, SetDataRequest, request)).toBe(ErrorCode.OK);
  }

  test("the stats znode is counted when it is created, also before there are limits", async () => {
    await client.create(at("/a"), Buffer.from("12345"));
    await client.create(quota("/zookeeper_stats"), Buffer.from("count=0,bytes=0"));
    expect(await stats()).toBe("count=2,bytes=5");
  });

  test("changes are counted only while there are limits", async () => {
    await client.create(quota("/zookeeper_stats"));
    await client.create(at("/a"), Buffer.from("12345"));
    expect(await stats()).toBe("count=1,bytes=0");
    await client.create(quota("/zookeeper_limits"), Buffer.from("count=5,bytes=50"));
    expect(await stats()).toBe("count=1,bytes=0");
    await set(at("/a"), "123");
    await client.create(at("/b"), Buffer.from("1"));
    expect(await stats()).toBe("count=2,bytes=-1");
    const limits = { path: quota("/zookeeper_limits"), version: -1 };
    expect(await client.code(OpCode.delete, DeleteRequest, limits)).toBe(ErrorCode.OK);
    await client.create(at("/c"));
    expect(await stats()).toBe("count=2,bytes=-1");
  });

  test("what a client writes into the stats znode is counted on from there", async () => {
    await client.create(quota("/zookeeper_limits"), Buffer.from("count=5,bytes=50"));
    await client.create(quota("/zookeeper_stats"));
    await set(quota("/zookeeper_stats"), "count=40,bytes=7");
    await client.create(at("/a"), Buffer.from("1"));
    expect(await stats()).toBe("count=41,bytes=8");
  });
});
