// SPDX-License-Identifier: Apache-2.0

import { seededRandom } from "@meerkat/runtime";
import { expect, test } from "vitest";
import { closeSessionOperation } from "./close-session.ts";
import { Request } from "./request.ts";
import { RequestRing } from "./request-ring.ts";

const request = (): Request => new Request(closeSessionOperation, "/");

test("behaves as a list that is appended to and shifted, through growth and wrap-around", () => {
  const random = seededRandom(7);
  const ring = new RequestRing();
  const model: Request[] = [];
  for (let step = 0; step < 20_000; step++) {
    // Phases of growth and of decline, so that it wraps at every size.
    if (random.float() < (Math.floor(step / 500) % 2 === 0 ? 0.7 : 0.35)) {
      const added = request();
      ring.push(added);
      model.push(added);
    } else {
      expect(ring.shift()).toBe(model.shift());
    }
    expect(ring.size).toBe(model.length);
    expect(ring.peek()).toBe(model[0]);
    const index = Math.floor(random.float() * (model.length + 2));
    expect(ring.at(index)).toBe(model[index]);
  }
  expect(ring.drain()).toEqual(model);
  expect([ring.size, ring.shift(), ring.peek()]).toEqual([0, undefined, undefined]);
});
