// SPDX-License-Identifier: Apache-2.0
// The log of commands that run for long: JSON lines on stderr, so that stdout stays for results.
import type { Logger } from "@meerkat/runtime";
import { destination, pino } from "pino";
import type { LogLevel } from "./log-level.ts";

/** A pino logger on stderr. It writes at once: the last lines before a crash are the interesting ones. */
export function createLogger(level: LogLevel): Logger {
  return pino({ level, base: null }, destination({ fd: 2, sync: true }));
}
