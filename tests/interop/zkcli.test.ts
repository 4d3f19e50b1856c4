// SPDX-License-Identifier: Apache-2.0
// Apache ZooKeeper's command line, as Debian ships it, against the embedded server.
import { EmbeddedServer } from "@meerkat/server";
import { runProgram, toolsAvailable } from "@meerkat/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const ZKCLI = "/usr/share/zookeeper/bin/zkCli.sh";

describe.runIf(toolsAvailable("zkCli.sh", "java-zookeeper"))("zkCli.sh", () => {
  let server: EmbeddedServer;
  beforeAll(async () => {
    server = await EmbeddedServer.start({ memory: true });
  });
  afterAll(async () => {
    await server.close();
  });

  /** Runs one session of commands; gives what it printed. Its exit code is that of the last command. */
  async function session(expectedCode: number, ...commands: string[]): Promise<string> {
    await using cli = runProgram(ZKCLI, {
      args: ["-server", server.connectString],
      env: { CLIENT_JVMFLAGS: "-Xmx96m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC" },
    });
    for (const command of [...commands, "quit"]) cli.send(command);
    cli.endInput();
    const { code } = await cli.exited;
    expect({ code, output: cli.output }).toEqual({ code: expectedCode, output: cli.output });
    return cli.output;
  }

  test("creates, reads, changes, lists and deletes", async () => {
    const output = await session(
      0,
      'create /cli "some data"',
      "get /cli",
      "set /cli changed",
      "get -s /cli",
      "create -s /cli/seq- x",
      "create -e /cli/eph y",
      "create -c /cli/container",
      "create -t 60000 /cli/ttl z",
      "ls /cli",
      "ls -R /cli",
      "stat /cli",
      "getAllChildrenNumber /cli",
      "getEphemerals",
      "getAcl /cli",
      "delete /cli/container",
      "deleteall /cli",
      "ls /",
    );
    expect(output).toContain("Created /cli\n");
    expect(output).toContain("some data\n");
    expect(output).toContain("dataVersion = 1");
    expect(output).toContain("Created /cli/seq-0000000000");
    expect(output).toContain("[container, eph, seq-0000000000, ttl]");
    expect(output).toContain("numChildren = 4");
    expect(output).toContain("'world,'anyone\n: cdrwa");
    expect(output).toContain("[zookeeper]");
    expect(output).not.toMatch(/exception/i);
  });

  test("sees watches fire, and the errors that it should", async () => {
    const output = await session(
      0,
      "create /w 0",
      "get -w /w",
      "set /w 1",
      "addWatch -m PERSISTENT_RECURSIVE /w",
      "create /w/child",
      "get /none",
      "create /w again",
      "delete /w",
      "set -v 9 /w x",
      "deleteall /w",
    );
    expect(output).toContain("WatchedEvent state:SyncConnected type:NodeDataChanged path:/w");
    expect(output).toContain("WatchedEvent state:SyncConnected type:NodeCreated path:/w/child");
    expect(output).toContain("Node does not exist: /none");
    expect(output).toContain("Node already exists: /w");
    expect(output).toContain("Node not empty: /w");
    expect(output).toContain("version No is not valid : /w");
  });

  test("authenticates and guards a znode", async () => {
    const output = await session(
      0,
      "addauth digest user:secret",
      "create /guarded x auth::cdrwa",
      "getAcl /guarded",
      "whoami",
    );
    expect(output).toContain("'digest,'user:");
    expect(await session(1, "get /guarded")).toMatch(
      /Insufficient permission|NoAuth|Authentication is not valid/,
    );
    await session(0, "addauth digest user:secret", "deleteall /guarded");
  });
});
