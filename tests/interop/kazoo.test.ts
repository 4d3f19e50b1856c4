// SPDX-License-Identifier: Apache-2.0
// The seed's own ZooKeeper library against both servers: calls, watches, recipes, reconnection.
import { join } from "node:path";
import { awaitCondition, FaultProxy, runPython, toolsAvailable } from "@meerkat/testkit";
import { describe, expect, test } from "vitest";
import { describeEachZooKeeper } from "../support/zookeepers.ts";

const SCRIPT = join(import.meta.dirname, "..", "python", "kazoo_drive.py");

describe.runIf(toolsAvailable("kazoo", "python-kazoo"))("kazoo", () => {
  describeEachZooKeeper("drives the server", (zk) => {
    test.each(["nodes", "ephemerals", "watches", "transactions", "acls", "lock", "recipes", "volume"])(
      "through its %s",
      async (name) => {
        await using peer = runPython(SCRIPT, [zk.hosts, name]);
        expect(await peer.line("ok")).toBe(`ok ${name}`);
        expect(await peer.exited).toEqual({ code: 0, signal: null });
      },
    );

    test("and keeps its session when the connection breaks", async () => {
      await using proxy = await FaultProxy.start({ target: zk });
      await using peer = runPython(SCRIPT, [`${proxy.connectString}${zk.chroot}`, "reconnect"]);
      await peer.line("connected");
      const { accepted } = proxy;
      await proxy.down();
      await proxy.restore();
      await awaitCondition(() => proxy.accepted > accepted, { describe: "kazoo to reconnect" });
      expect(await peer.line("ok")).toBe("ok reconnect");
    });
  });
});
