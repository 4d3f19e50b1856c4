// SPDX-License-Identifier: Apache-2.0
// Metrics in Prometheus' text format, under ZooKeeper's names where they mean the same.
import type { HttpHandler } from "./http-host.ts";
import type { ServerStatus } from "./server-status.ts";

/** The exposition of all metrics. */
export function metricsText(status: ServerStatus): string {
  const valid = (name: string): string => name.replaceAll(/[^a-zA-Z0-9_]/g, "_");
  const part = (type: "gauge" | "counter", entries: readonly (readonly [string, number])[]): string =>
    entries.map(([name, value]) => `# TYPE ${valid(name)} ${type}\n${valid(name)} ${value}\n`).join("");
  const { rss, heapUsed, external } = process.memoryUsage();
  return (
    part("gauge", [
      ...status.gauges(),
      ["process_resident_memory_bytes", rss],
      ["nodejs_heap_size_used_bytes", heapUsed],
      ["nodejs_external_memory_bytes", external],
    ]) +
    part("counter", status.counters()) +
    status
      .summaries()
      .map(([name, { count, sum }]) => `# TYPE ${name} summary\n${name}_count ${count}\n${name}_sum ${sum}\n`)
      .join("")
  );
}

/** Handles `/metrics`. */
export function metricsHandler(status: ServerStatus): HttpHandler {
  return (request) =>
    request.path === "/metrics"
      ? { status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", body: metricsText(status) }
      : { status: 404, contentType: "text/plain", body: "see /metrics\n" };
}
