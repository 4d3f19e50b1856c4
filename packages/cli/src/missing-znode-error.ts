// SPDX-License-Identifier: Apache-2.0
import { CodedError } from "@meerkat/runtime";

/** `exists` answers "no" without an error; for a command that was asked to show the znode it is one. */
export class MissingZnodeError extends CodedError<"NO_NODE", { readonly path: string }> {
  constructor(path: string) {
    super(`there is no znode ${path}`, { code: "NO_NODE", effect: "none", context: { path } });
  }
}
