// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { AsyncQueue } from "./async-queue.ts";

function queueOf(capacity: number, onReturn?: () => void): AsyncQueue<number> {
  return new AsyncQueue<number>({
    capacity,
    merge: (waiting, pushed) => waiting * 100 + pushed,
    ...(onReturn === undefined ? {} : { onReturn }),
  });
}

async function drain(queue: AsyncQueue<number>): Promise<number[]> {
  const values: number[] = [];
  for await (const value of queue) values.push(value);
  return values;
}

describe("AsyncQueue", () => {
  test("gives values in order, those that waited and those that are waited for", async () => {
    const queue = queueOf(10);
    queue.push(1);
    queue.push(2);
    const values = drain(queue);
    await Promise.resolve();
    queue.push(3);
    queue.end();
    expect(await values).toEqual([1, 2, 3]);
  });

  test("merges into the newest value when it is full", async () => {
    const queue = queueOf(2);
    for (const value of [1, 2, 3, 4]) queue.push(value);
    queue.end();
    expect(await drain(queue)).toEqual([1, (2 * 100 + 3) * 100 + 4]);
  });

  test("ends after the values that wait, and takes none after the end", async () => {
    const queue = queueOf(10);
    queue.push(1);
    queue.end();
    queue.push(2);
    expect(await drain(queue)).toEqual([1]);
    expect(await queue.next()).toEqual({ value: undefined, done: true });
  });

  test("fails after the values that wait, once", async () => {
    const queue = queueOf(10);
    queue.push(1);
    queue.fail(new Error("broken"));
    expect(await queue.next()).toEqual({ value: 1, done: false });
    await expect(queue.next()).rejects.toThrow("broken");
    expect(await queue.next()).toEqual({ value: undefined, done: true });
  });

  test("a reader that waits learns of the end and of a failure", async () => {
    const ended = queueOf(1);
    const end = ended.next();
    ended.end();
    expect(await end).toEqual({ value: undefined, done: true });
    const failed = queueOf(1);
    const failure = failed.next();
    failed.fail(new Error("broken"));
    await expect(failure).rejects.toThrow("broken");
    expect(await failed.next()).toEqual({ value: undefined, done: true });
  });

  test("a reader that asks twice before a value came gets it once, by both promises", async () => {
    const queue = queueOf(10);
    const [first, second] = [queue.next(), queue.next()];
    queue.push(1);
    queue.push(2);
    expect(await first).toEqual({ value: 1, done: false });
    expect(await second).toEqual({ value: 1, done: false });
    expect(await queue.next()).toEqual({ value: 2, done: false });
  });

  test("leaving the loop drops what waits and tells the producer once", async () => {
    let returns = 0;
    const queue = queueOf(10, () => returns++);
    queue.push(1);
    queue.push(2);
    for await (const value of queue) {
      expect(value).toBe(1);
      break;
    }
    queue.end();
    await queue.return();
    expect(returns).toBe(1);
    expect(await queue.next()).toEqual({ value: undefined, done: true });
  });

  test("a reader that stopped is not told of a failure that waited", async () => {
    const queue = queueOf(10);
    queue.fail(new Error("broken"));
    await queue.return();
    expect(await queue.next()).toEqual({ value: undefined, done: true });
  });

  test("gives all waiting values at once", async () => {
    const queue = queueOf(10);
    for (const value of [1, 2, 3]) queue.push(value);
    expect(queue.takeAll()).toEqual([1, 2, 3]);
    expect(queue.takeAll()).toEqual([]);
    queue.push(4);
    queue.end();
    expect(await drain(queue)).toEqual([4]);
  });

  test("tells the producer of the end while values still wait", () => {
    let returns = 0;
    const queue = queueOf(10, () => returns++);
    queue.push(1);
    queue.end();
    queue.fail(new Error("late"));
    expect(returns).toBe(1);
  });
});
