// SPDX-License-Identifier: Apache-2.0
// The npm package `node-zookeeper-client`: pure JavaScript with callbacks, its only and fastest form.
import { once } from "node:events";
import type { EventEmitter } from "node:stream";
import { npmPeerModule } from "../lib/npm-peers.ts";
import { type ClientRun, type ClientSubject, serveClient, WATCH_REQUESTS_IN_FLIGHT } from "./client-verbs.ts";
import { runCallbacks } from "./meter.ts";

type Callback = (error?: unknown) => void;

interface Client extends EventEmitter {
  connect(): void;
  close(): void;
  getData(path: string, callback: Callback): void;
  exists(path: string, callback: Callback): void;
  exists(path: string, watcher: () => void, callback: Callback): void;
  setData(path: string, data: Buffer, version: number, callback: Callback): void;
  create(path: string, data: Buffer, callback: Callback): void;
}

const { createClient } = npmPeerModule<{
  createClient(hosts: string, options: { readonly sessionTimeout: number }): Client;
}>("node-zookeeper-client");

let client: Client;

function operation(run: ClientRun, data: Buffer): (index: number, done: Callback) => void {
  const { path } = run;
  switch (run.operation) {
    case "get":
      return (_index, done) => client.getData(path, done);
    case "exists":
      return (_index, done) => client.exists(path, done);
    case "set":
      return (_index, done) => client.setData(path, data, -1, done);
    case "create":
      return (index, done) => client.create(`${path}/${index}`, data, done);
  }
}

const listener = (): void => {};

const subject: ClientSubject = {
  async connect(hosts) {
    client = createClient(hosts, { sessionTimeout: 30_000 });
    client.connect();
    await once(client, "connected");
  },
  run: (run, data) => runCallbacks(run, operation(run, data)),
  async watchAll(paths) {
    const shape = { inFlight: WATCH_REQUESTS_IN_FLIGHT, durationMs: 60_000, opsMax: paths.length };
    await runCallbacks(shape, (index, done) => client.exists(paths[index] as string, listener, done));
  },
  close: () => client.close(),
};

await serveClient(subject);
