// SPDX-License-Identifier: Apache-2.0
import { errorFrom, type Net } from "@meerkat/runtime";
import type { EndpointProbe } from "./endpoint-health.ts";

/**
 * A probe that opens a TCP connection and closes it again: right for every server that would accept a
 * call when it accepts a connection. Sends no byte.
 */
export function connectProbe(net: Net): EndpointProbe {
  return (endpoint, signal) =>
    new Promise<void>((resolve, reject) => {
      if (signal.aborted) {
        reject(errorFrom(signal.reason));
        return;
      }
      const onAbort = (): void => socket.destroy(errorFrom(signal.reason));
      const socket = net.connect(
        { host: endpoint.host, port: endpoint.port },
        {
          onConnect: () => {
            resolve();
            socket.end();
            socket.destroy();
          },
          onData: () => {},
          onClose: (error) => {
            signal.removeEventListener("abort", onAbort);
            reject(error ?? new Error(`${endpoint.host}:${endpoint.port} closed the connection`));
          },
        },
      );
      signal.addEventListener("abort", onAbort, { once: true });
    });
}
