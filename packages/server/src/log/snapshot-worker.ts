// SPDX-License-Identifier: Apache-2.0
// Entry of the thread that writes snapshots; see background-snapshot.ts.
import { parentPort, workerData } from "node:worker_threads";
import { systemFiles } from "@meerkat/runtime";
import type { SnapshotJob, SnapshotJobResult } from "./background-snapshot.ts";
import { mergeSnapshot } from "./snapshot-merge.ts";

const job = workerData as SnapshotJob;

mergeSnapshot({ ...job, files: systemFiles }).then(
  (result) => parentPort?.postMessage({ ok: true, result } satisfies SnapshotJobResult),
  (error: unknown) =>
    parentPort?.postMessage({
      ok: false,
      message: error instanceof Error ? error.message : String(error),
    } satisfies SnapshotJobResult),
);
