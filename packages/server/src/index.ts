// SPDX-License-Identifier: Apache-2.0
export { defaultLimits, type Limits } from "./net/limits.ts";
export type { EmbeddedServerOptions } from "./options.ts";
export { EmbeddedServer } from "./server.ts";
