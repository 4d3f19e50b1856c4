// SPDX-License-Identifier: Apache-2.0
// Our client through its public API: as many loops as operations in flight, each awaiting its call. All of
// the client is on: request timeouts, cancellation, watches, typed results.
import { ZooKeeperClient } from "@meerkat/client";
import { type ClientRun, type ClientSubject, serveClient, WATCH_REQUESTS_IN_FLIGHT } from "./client-verbs.ts";
import { runPromises } from "./meter.ts";

let client: ZooKeeperClient;

function operation(run: ClientRun, data: Buffer): (index: number) => Promise<unknown> {
  const { path } = run;
  switch (run.operation) {
    case "get":
      return () => client.get(path);
    case "exists":
      return () => client.exists(path);
    case "set":
      return () => client.set(path, data);
    case "create":
      return (index) => client.create(`${path}/${index}`, data);
  }
}

const listener = (): void => {};

const subject: ClientSubject = {
  async connect(hosts) {
    client = await ZooKeeperClient.connect({ hosts });
  },
  run: (run, data) => runPromises(run, operation(run, data)),
  async watchAll(paths) {
    const shape = { inFlight: WATCH_REQUESTS_IN_FLIGHT, durationMs: 60_000, opsMax: paths.length };
    await runPromises(shape, (index) => client.exists(paths[index] as string, { watch: listener }));
  },
  close: () => client.close(),
};

await serveClient(subject);
