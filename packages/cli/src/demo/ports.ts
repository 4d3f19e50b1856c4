// SPDX-License-Identifier: Apache-2.0
import type { Net } from "@meerkat/runtime";

/** Where the demo's servers listen. */
export const DEMO_HOST = "127.0.0.1";

/**
 * The preferred ports where they are free, others where not. Each is bound and released again, so another
 * program could still take it in between; the server process then says so and the demo fails.
 */
export async function choosePorts(net: Net, preferred: readonly number[]): Promise<number[]> {
  const chosen: number[] = [];
  for (const port of preferred) {
    const isFree = !chosen.includes(port) && (await bindOnce(net, port)) !== undefined;
    const choice = isFree ? port : await bindOnce(net, 0);
    if (choice === undefined) throw new Error(`no free port on ${DEMO_HOST}`);
    chosen.push(choice);
  }
  return chosen;
}

/** Binds the port (0: any) for a moment; undefined when it is taken. */
async function bindOnce(net: Net, port: number): Promise<number | undefined> {
  try {
    const listener = await net.listen({ host: DEMO_HOST, port }, (socket) => {
      socket.destroy();
      return { onData() {}, onClose() {} };
    });
    await listener.close();
    return listener.port;
  } catch {
    return undefined;
  }
}
