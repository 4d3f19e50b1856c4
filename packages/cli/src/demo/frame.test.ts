// SPDX-License-Identifier: Apache-2.0
import { stripVTControlCharacters } from "node:util";
import pc from "picocolors";
import { describe, expect, test } from "vitest";
import { drawFrame } from "./frame.ts";
import { DemoModel } from "./model.ts";
import { formatSummary } from "./summary-text.ts";
import { Tally } from "./tally.ts";

const PORTS = [8001, 8002, 8003];

function sampleModel(): { model: DemoModel; news: string[]; at: (ms: number) => void } {
  let nowMs = 0;
  const news: string[] = [];
  const model = new DemoModel({
    clock: { nowMs: () => nowMs, wallMs: () => nowMs, after: () => ({ cancel() {} }) },
    tally: new Tally(),
    chapters: [
      { title: "ZooKeeper answers", expectedMs: 1_000 },
      { title: "8003 joins", expectedMs: 3_000 },
    ],
    servers: PORTS.map((port) => ({ key: `127.0.0.1:${port}`, port })),
    onNews: (text) => news.push(text),
  });
  return {
    model,
    news,
    at: (ms) => {
      nowMs = ms;
    },
  };
}

describe("a picture of the demo", () => {
  test("shows the live list, who answers and the counts, in the room there is", async () => {
    const { model } = sampleModel();
    await model.chapter(0, async () => "the embedded server at 127.0.0.1:40000");
    for (const server of model.servers.slice(0, 2)) {
      server.status = "up";
      server.znode = `server000000000${server.number - 1}`;
    }
    for (let call = 0; call < 300; call++) {
      model.tally.attemptEnded(`127.0.0.1:800${(call % 2) + 1}`, true, call);
      model.tally.callAnswered(`divide(${call}) = ${call}`);
    }
    const lines = stripVTControlCharacters(
      drawFrame(model, { columns: 80, colors: pc.createColors(true) }),
    ).split("\n");
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(79);
    const text = lines.join("\n");
    expect(text).toContain("✔ ZooKeeper answers");
    expect(text).toContain("○ 8003 joins");
    expect(text).toMatch(/● 127\.0\.0\.1:8001 +server0000000000 +150 calls/);
    expect(text).toMatch(/· 127\.0\.0\.1:8003 +not started +0 calls/);
    expect(text).toMatch(/Who answers +(12)+/);
    expect(text).toContain("divide(299) = 299  by 127.0.0.1:8002");
    expect(text).toContain("300, 0 failed, 0 made good by another server");
  });

  test("a killed server is marked while it is still listed, and after", () => {
    const { model } = sampleModel();
    const [first] = model.servers;
    if (first === undefined) throw new Error("no server");
    first.status = "killed";
    first.znode = "server0000000000";
    for (let call = 0; call < 300; call++) model.tally.attemptEnded(first.key, true, call);
    const size = { columns: 80, colors: pc.createColors(false) };
    for (const line of drawFrame(model, size).split("\n")) expect(line.length).toBeLessThanOrEqual(79);
    expect(drawFrame(model, size)).toMatch(/✘ 127\.0\.0\.1:8001 +server0000000000 .*dead, still listed/);
    first.znode = undefined;
    expect(drawFrame(model, size)).toMatch(/✘ 127\.0\.0\.1:8001 +out of the list/);
  });

  test("the progress follows the chapters and never claims the end too early", async () => {
    const { model, news, at } = sampleModel();
    expect(model.progress).toBe(0);
    await model.chapter(0, async () => "done");
    expect(model.progress).toBe(0.25);
    let halfway = 0;
    await model.chapter(1, async () => {
      at(1_500);
      halfway = model.progress;
      at(60_000);
      expect(model.progress).toBeLessThan(1);
      return "joined";
    });
    expect(halfway).toBe(0.625);
    expect(model.progress).toBe(1);
    expect(news).toEqual([
      "ZooKeeper answers …",
      "ZooKeeper answers: done",
      "8003 joins …",
      "8003 joins: joined",
    ]);
  });

  test("a chapter that fails is marked and passes its error on", async () => {
    const { model } = sampleModel();
    await expect(model.chapter(0, () => Promise.reject(new Error("no server")))).rejects.toThrow("no server");
    expect(model.chapters[0]?.status).toBe("failed");
  });
});

test("the summary gives shares and the two times", () => {
  const { model } = sampleModel();
  const { tally } = model;
  tally.serverJoined("127.0.0.1:8003", 100);
  for (const [server, calls] of [50, 30, 20].entries()) {
    for (let call = 0; call < calls; call++) {
      tally.attemptEnded(`127.0.0.1:${PORTS[server]}`, true, 112);
      tally.callAnswered("divide(1) = 1");
    }
  }
  tally.serverKilled("127.0.0.1:8001", 200);
  const text = formatSummary(model, pc.createColors(false));
  expect(text).toContain("✔ 100 calls, 0 failed");
  expect(text).toMatch(/127\.0\.0\.1:8002 +30 +30\.0 %/);
  expect(text).toContain("8003 got its first call 12 ms after it joined.");
  expect(text).toContain("8001 got no attempt after the kill.");
});
