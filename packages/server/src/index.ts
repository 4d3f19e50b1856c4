// SPDX-License-Identifier: Apache-2.0

export type { GuardOptions } from "./admin/guarded-commands.ts";
export { ConfigError, type ConfigErrorCode } from "./config/config-error.ts";
export {
  ENSEMBLE_KEYS,
  HONOURED_KEYS,
  IGNORED_KEYS,
  REFUSED_WHEN_TRUE,
  WARNED_KEYS,
} from "./config/known-keys.ts";
export type { ReadConfigFile } from "./config/read-file.ts";
export { loadServerConfig, parseZooCfg, type ServerConfig } from "./config/zoo-cfg.ts";
export { type RepairOptions, type RepairReport, repairDirectory } from "./log/index.ts";
export type { ConnectThrottleOptions } from "./net/connect-throttle.ts";
export { defaultLimits, type Limits } from "./net/limits.ts";
export type {
  AdminOptions,
  EmbeddedServerOptions,
  HttpListenerOptions,
  SecureListenerOptions,
} from "./options.ts";
export { defaultReaperOptions, type ReaperOptions } from "./requests/reaper.ts";
export { EmbeddedServer } from "./server.ts";
