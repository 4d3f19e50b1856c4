// SPDX-License-Identifier: Apache-2.0
// Logging as a dependency. The shape is pino's, so a pino instance fits as it is.

/** One level's function: structured fields first, then a sentence for people. */
export type LogFunction = (fields: Readonly<Record<string, unknown>>, message: string) => void;

/** What Meerkat needs of a logger. Secrets (passwords, auth data, znode data) are never passed to it. */
export interface Logger {
  debug: LogFunction;
  info: LogFunction;
  warn: LogFunction;
  error: LogFunction;
}

const ignore: LogFunction = () => {};

/** Drops everything: the default of every library package. */
export const silentLogger: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
