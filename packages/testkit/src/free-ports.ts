// SPDX-License-Identifier: Apache-2.0
import net from "node:net";

/**
 * Below the range that the kernel picks outgoing ports from (32768 and up on Linux), so that a port stays
 * free while its server is down for a moment.
 */
const PORT_MIN = 15_000;
const PORT_MAX = 32_000;
const TRIES_MAX = 200;

/** Binds a port of the address, or gives undefined when it is taken. */
function hold(host: string, port: number): Promise<net.Server | undefined> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once("error", () => resolve(undefined));
    server.listen({ host, port, exclusive: true }, () => resolve(server));
  });
}

/**
 * Ports that were free a moment ago, all different, for servers in other processes that cannot bind port 0.
 * Another process may take one first: whoever uses them must be ready to ask again.
 */
export async function freePorts(count: number, host = "127.0.0.1"): Promise<number[]> {
  const held: net.Server[] = [];
  try {
    for (let tries = 0; held.length < count; tries++) {
      if (tries === TRIES_MAX) throw new Error(`found only ${held.length} of ${count} free ports`);
      const server = await hold(host, PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN)));
      if (server !== undefined) held.push(server);
    }
    return held.map((server) => (server.address() as net.AddressInfo).port);
  } finally {
    await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}
