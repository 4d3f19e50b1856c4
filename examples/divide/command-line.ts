// SPDX-License-Identifier: Apache-2.0
// What the two programs have in common: options, exit codes, and how they are asked to stop.

/** Where ZooKeeper is when nothing else is said. */
export const { MEERKAT_ZOOKEEPER: zookeeperDefault = "127.0.0.1:2181" } = process.env;

/** Fires at the first SIGINT or SIGTERM; a second one ends the process at once. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => controller.abort());
  return controller.signal;
}

/** An integer from `min` to `max`. */
export function integer(name: string, text: string | undefined, min: number, max: number): number {
  const value = Number(text);
  if (text === undefined || !/^\d+$/.test(text) || value < min || value > max) {
    throw new Error(`${name} must be an integer from ${min} to ${max}`);
  }
  return value;
}

/** Reads the options, then runs the program. Ends with 0 (done), 1 (failed) or 2 (bad usage). */
export async function run<Options>(
  usage: string,
  read: () => Options,
  program: (options: Options) => Promise<void>,
): Promise<void> {
  let options: Options;
  try {
    options = read();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\nusage: ${usage}`);
    process.exitCode = 2;
    return;
  }
  try {
    await program(options);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
