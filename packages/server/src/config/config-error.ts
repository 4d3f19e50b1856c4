// SPDX-License-Identifier: Apache-2.0
import { CodedError } from "@meerkat/runtime";

/** `INVALID_VALUE`, `MISSING_KEY`, `ENSEMBLE` (a key that only an ensemble has), `UNREADABLE_FILE`. */
export type ConfigErrorCode = "INVALID_VALUE" | "MISSING_KEY" | "ENSEMBLE" | "UNREADABLE_FILE";

/** A configuration that the server cannot be started with. Nothing was done. */
export class ConfigError extends CodedError<ConfigErrorCode, { readonly key: string }> {
  constructor(code: ConfigErrorCode, key: string, message: string, cause?: unknown) {
    super(message, { code, effect: "none", context: { key }, cause });
  }
}
