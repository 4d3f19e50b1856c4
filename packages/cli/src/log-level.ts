// SPDX-License-Identifier: Apache-2.0

/** From most to least talkative. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"] as const;
/** One of them. */
export type LogLevel = (typeof LOG_LEVELS)[number];
