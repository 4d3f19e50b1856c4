// SPDX-License-Identifier: Apache-2.0
// The npm package `zookeeper`: Apache's C client as a native add-on. Its callback form, which saves the
// promise that its other form puts on top.

import { npmPeerModule } from "../lib/npm-peers.ts";
import { type ClientRun, type ClientSubject, serveClient, WATCH_REQUESTS_IN_FLIGHT } from "./client-verbs.ts";
import { runCallbacks } from "./meter.ts";

/** 0 is success; `done` takes it as the error it reports otherwise. */
type Callback = (code: number) => void;

interface Client {
  connect(options: object, callback: (error: unknown) => void): void;
  close(): void;
  a_get(path: string, watch: boolean, callback: Callback): void;
  a_exists(path: string, watch: boolean, callback: Callback): void;
  aw_exists(path: string, watcher: () => void, callback: Callback): void;
  a_set(path: string, data: Buffer, version: number, callback: Callback): void;
  a_create(path: string, data: Buffer, flags: number, callback: Callback): void;
}

const ZooKeeper = npmPeerModule<{
  new (): Client;
  readonly ZOO_LOG_LEVEL_ERROR: number;
}>("zookeeper");

const client = new ZooKeeper();

function operation(run: ClientRun, data: Buffer): (index: number, done: Callback) => void {
  const { path } = run;
  switch (run.operation) {
    case "get":
      return (_index, done) => client.a_get(path, false, done);
    case "exists":
      return (_index, done) => client.a_exists(path, false, done);
    case "set":
      return (_index, done) => client.a_set(path, data, -1, done);
    case "create":
      return (index, done) => client.a_create(`${path}/${index}`, data, 0, done);
  }
}

const listener = (): void => {};

const subject: ClientSubject = {
  connect: (hosts) =>
    new Promise((resolve, reject) => {
      const options = {
        connect: hosts,
        timeout: 30_000,
        debug_level: ZooKeeper.ZOO_LOG_LEVEL_ERROR,
        host_order_deterministic: true,
      };
      client.connect(options, (error) => {
        if (error === null || error === undefined) resolve();
        else reject(error instanceof Error ? error : new Error(String(error)));
      });
    }),
  run: (run, data) => runCallbacks(run, operation(run, data)),
  async watchAll(paths) {
    const shape = { inFlight: WATCH_REQUESTS_IN_FLIGHT, durationMs: 60_000, opsMax: paths.length };
    await runCallbacks(shape, (index, done) => client.aw_exists(paths[index] as string, listener, done));
  },
  close: () => client.close(),
};

await serveClient(subject);
