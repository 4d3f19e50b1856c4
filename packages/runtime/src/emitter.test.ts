// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { Emitter } from "./emitter.ts";

describe("Emitter", () => {
  test("calls listeners in the order they were added", () => {
    const seen: string[] = [];
    const emitter = new Emitter<string>(() => {});
    emitter.on((event) => seen.push(`first ${event}`));
    emitter.on((event) => seen.push(`second ${event}`));
    emitter.emit("x");
    expect(seen).toEqual(["first x", "second x"]);
  });

  test("reports what a listener throws and calls the others", () => {
    const errors: unknown[] = [];
    const seen: number[] = [];
    const emitter = new Emitter<number>((error) => errors.push(error));
    const failure = new Error("bad listener");
    emitter.on(() => {
      throw failure;
    });
    emitter.on((event) => seen.push(event));
    emitter.emit(1);
    expect(errors).toEqual([failure]);
    expect(seen).toEqual([1]);
  });

  test("a function added twice is called twice, and each is removed alone", () => {
    let calls = 0;
    const emitter = new Emitter<null>(() => {});
    const listener = (): void => {
      calls++;
    };
    const remove = emitter.on(listener);
    emitter.on(listener);
    emitter.emit(null);
    remove();
    remove();
    expect(emitter.size).toBe(1);
    emitter.emit(null);
    expect(calls).toBe(3);
  });

  test("a listener removed by an earlier one is not called any more, one added is not yet", () => {
    const seen: string[] = [];
    const emitter = new Emitter<null>(() => {});
    emitter.on(() => {
      removeSecond();
      emitter.on(() => seen.push("added"));
    });
    const removeSecond = emitter.on(() => seen.push("removed"));
    emitter.emit(null);
    expect(seen).toEqual([]);
    emitter.clear();
    emitter.emit(null);
    expect(seen).toEqual([]);
  });
});
