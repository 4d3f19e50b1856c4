// SPDX-License-Identifier: Apache-2.0
export { ConfigError, type ConfigErrorCode } from "./config/config-error.ts";
export { loadServerConfig, parseZooCfg, type ReadConfigFile, type ServerConfig } from "./config/zoo-cfg.ts";
export { defaultLimits, type Limits } from "./net/limits.ts";
export type { EmbeddedServerOptions, HttpListenerOptions, SecureListenerOptions } from "./options.ts";
export { defaultReaperOptions, type ReaperOptions } from "./requests/reaper.ts";
export { EmbeddedServer } from "./server.ts";
