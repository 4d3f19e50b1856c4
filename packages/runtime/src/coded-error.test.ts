// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { CodedError, errorFrom, InvalidArgumentError, isCodedError } from "./coded-error.ts";

class SampleError extends CodedError<"SAMPLE", { readonly path: string }> {}

describe("CodedError", () => {
  test("carries name, code, effect, context and cause", () => {
    const cause = new Error("below");
    const error = new SampleError("it broke", {
      code: "SAMPLE",
      effect: "unknown",
      context: { path: "/a" },
      cause,
    });
    expect(error).toMatchObject({
      name: "SampleError",
      message: "it broke",
      code: "SAMPLE",
      effect: "unknown",
    });
    expect(error.context.path).toBe("/a");
    expect(error.cause).toBe(cause);
    expect(error).toBeInstanceOf(Error);
    expect("cause" in new InvalidArgumentError("a", "b")).toBe(false);
  });

  test("is recognised by its brand, which does not show in its keys", () => {
    const error = new InvalidArgumentError("port", "port must be below 65536");
    expect(isCodedError(error)).toBe(true);
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", effect: "none", context: { argument: "port" } });
    expect(Object.getOwnPropertySymbols(error).length).toBe(1);
    expect(Object.propertyIsEnumerable.call(error, Symbol.for("meerkat.coded-error"))).toBe(false);
  });

  test.each([null, undefined, 1, "x", {}, new Error("plain")])("%s is not one", (value) => {
    expect(isCodedError(value)).toBe(false);
  });
});

test("errorFrom keeps errors and wraps everything else", () => {
  const error = new Error("kept");
  expect(errorFrom(error)).toBe(error);
  expect(errorFrom("text")).toMatchObject({ message: "text", cause: "text" });
});
