// SPDX-License-Identifier: Apache-2.0
import { CodedError } from "@meerkat/runtime";

/**
 * `TIMEOUT` a condition or a line did not come in time; `NOT_STARTED` a server or program did not come up;
 * `EXITED` a program ended while something was expected of it; `TOOL_MISSING` a needed program is not on
 * this machine.
 */
export type TestkitErrorCode = "TIMEOUT" | "NOT_STARTED" | "EXITED" | "TOOL_MISSING";

/** What the testkit throws. `context.output` is the tail of what the program printed, where there is one. */
export class TestkitError extends CodedError<TestkitErrorCode, { readonly output?: string | undefined }> {
  constructor(
    code: TestkitErrorCode,
    message: string,
    more: { readonly output?: string | undefined; readonly cause?: unknown } = {},
  ) {
    super(more.output ? `${message}\n--- output ---\n${more.output}` : message, {
      code,
      effect: "none",
      context: { output: more.output },
      cause: more.cause,
    });
  }
}
