// SPDX-License-Identifier: Apache-2.0
// The seed's wire has one kind of error: text. When the server itself refuses a call, it does so in the
// sentences below; our client knows them again, a Python client shows them to its user.
import type { Effect } from "@meerkat/runtime";
import type { RpcErrorCode } from "../../errors.ts";

/** The handler failed in a way that the contract does not declare. Says nothing more, on purpose. */
export const INTERNAL_TEXT = "internal error";

/** There is no such method. */
export function unknownMethodText(method: string): string {
  return `unknown method ${method}`;
}

/** What can be wrong with a block of arguments. */
export type ArgumentFault = "unknown" | "truncated" | "duplicate" | "missing";

const ARGUMENT_FAULTS: readonly ArgumentFault[] = ["unknown", "truncated", "duplicate", "missing"];

/** `argument` is its name, or its number where it has no name here. */
export function argumentFaultText(fault: ArgumentFault, argument: string | number, method: string): string {
  return `${fault} argument ${argument} of ${method}`;
}

/** The result cannot be written in the declared type. */
export function resultRangeText(method: string, type: string): string {
  return `the result of ${method} does not fit ${type}`;
}

/** What the server's refusal of a call of `method` means; undefined for an error of the application. */
export function faultOf(
  text: string,
  method: string,
): { readonly code: RpcErrorCode; readonly effect: Effect } | undefined {
  if (text === INTERNAL_TEXT) return { code: "INTERNAL", effect: "applied" };
  if (text === unknownMethodText(method)) return { code: "UNKNOWN_METHOD", effect: "none" };
  if (text.startsWith(`the result of ${method} does not fit `)) {
    return { code: "RESULT_OUT_OF_RANGE", effect: "applied" };
  }
  if (
    text.endsWith(` of ${method}`) &&
    ARGUMENT_FAULTS.some((fault) => text.startsWith(`${fault} argument `))
  ) {
    return { code: "BAD_ARGUMENTS", effect: "none" };
  }
  return undefined;
}
