// SPDX-License-Identifier: Apache-2.0
import { InvalidArgumentError } from "@meerkat/runtime";
import { describe, expect, expectTypeOf, it } from "vitest";
import { arg, type CallArguments, defineService, type HandlerArguments, type ResultOf } from "./contract.ts";
import { InvalidOperation } from "./errors.ts";
import { f32, i32 } from "./value-type.ts";

const Divide = defineService("divide", {
  divide: {
    args: { num1: arg(1, i32), num2: arg(2, i32, { default: 1 }), digits: arg(3, i32, { optional: true }) },
    result: f32,
    errors: [InvalidOperation],
    idempotent: true,
  },
  ping: { args: {}, result: f32 },
});

type DivideMethod = (typeof Divide)["definitions"]["divide"];
type PingMethod = (typeof Divide)["definitions"]["ping"];

describe("a contract", () => {
  it("gives callers the arguments they must and may pass", () => {
    expectTypeOf<CallArguments<DivideMethod>>().toEqualTypeOf<{
      readonly num1: number;
      readonly num2?: number | undefined;
      readonly digits?: number | undefined;
    }>();
    expectTypeOf<CallArguments<PingMethod>>().toEqualTypeOf<Readonly<Record<never, never>>>();
  });

  it("gives handlers the arguments with defaults filled in, and the result's type", () => {
    expectTypeOf<HandlerArguments<DivideMethod>>().toEqualTypeOf<{
      readonly num1: number;
      readonly num2: number;
      readonly digits?: number | undefined;
    }>();
    expectTypeOf<ResultOf<DivideMethod>>().toEqualTypeOf<number>();
  });

  it("refuses a default of another type at compile time", () => {
    const define = () =>
      // @ts-expect-error a string is no default of an i32
      defineService("s", { m: { args: { a: arg(1, i32, { default: "1" }) }, result: f32 } });
    expect(define).toThrow("the default of a of m: a value of type string is not an integer");
  });

  it("keeps what codecs need", () => {
    const [divide, ping] = Divide.methods;
    expect(divide).toMatchObject({ name: "divide", idempotent: true, errors: [InvalidOperation] });
    expect(divide?.argsBySeq.map((argument) => argument?.name)).toEqual([
      undefined,
      "num1",
      "num2",
      "digits",
    ]);
    expect(ping).toMatchObject({ name: "ping", idempotent: false, errors: [], args: [] });
  });

  it("says whether the seed's peers can take part", () => {
    const { methods } = defineService("s", {
      seed: { args: { a: arg(1, i32) }, result: f32 },
      wider: { args: { a: arg(1, f32) }, result: f32 },
      other: { args: {}, result: i32 },
    });
    expect(methods.map((method) => method.seedCompatible)).toEqual([true, false, false]);
  });

  it.each([
    [
      "the same number twice",
      { m: { args: { a: arg(1, i32), b: arg(1, i32) }, result: f32 } },
      "same number 1",
    ],
    ["the number 0", { m: { args: { a: arg(0, i32) }, result: f32 } }, "not 1 to 255"],
    ["the number 256", { m: { args: { a: arg(256, i32) }, result: f32 } }, "not 1 to 255"],
    [
      "a default out of range",
      { m: { args: { a: arg(1, i32, { default: 2 ** 31 }) }, result: f32 } },
      "default",
    ],
    ["a method named close", { close: { args: {}, result: f32 } }, '"close" cannot be'],
    ["a method with a space", { "a b": { args: {}, result: f32 } }, '"a b" cannot be'],
    ["an argument with a dash", { m: { args: { "a-b": arg(1, i32) }, result: f32 } }, '"a-b" cannot be'],
  ])("refuses %s", (_title, methods, message) => {
    expect(() => defineService("s", methods)).toThrow(InvalidArgumentError);
    expect(() => defineService("s", methods)).toThrow(message);
  });

  it("refuses a service without a name", () => {
    expect(() => defineService("", {})).toThrow("a service needs a name");
  });
});
