// SPDX-License-Identifier: Apache-2.0
import { silentLogger } from "@meerkat/runtime";
import { describe, expect, it } from "vitest";
import { Dispatcher, type SlotWaiter } from "./dispatcher.ts";
import { zeroStats } from "./stats.ts";

function dispatcher(inFlightMax: number): Dispatcher {
  return new Dispatcher({ services: [], inFlightMax, stats: zeroStats(), logger: silentLogger });
}

describe("the dispatcher", () => {
  it("gives a freed slot to the one that waits longest", () => {
    const slots = dispatcher(1);
    const order: string[] = [];
    const waiter = (name: string): SlotWaiter => ({ onSlot: () => order.push(name) });
    expect(slots.enter(waiter("first"))).toBe(true);
    expect(slots.enter(waiter("second"))).toBe(false);
    expect(slots.enter(waiter("third"))).toBe(false);
    slots.leave();
    expect(order).toEqual(["second"]);
    slots.leave();
    expect(order).toEqual(["second", "third"]);
    slots.leave();
    expect(slots.stats.inFlight).toBe(0);
  });

  it("serves any number of waiters that finish at once without growing the stack", () => {
    const slots = dispatcher(1);
    let served = 0;
    const waiter = (): SlotWaiter => ({
      onSlot: () => {
        served++;
        slots.leave();
      },
    });
    expect(slots.enter(waiter())).toBe(true);
    for (let count = 0; count < 100_000; count++) slots.enter(waiter());
    slots.leave();
    expect(served).toBe(100_000);
    expect(slots.stats.inFlight).toBe(0);
  });

  it("passes over one that went away", () => {
    const slots = dispatcher(1);
    const served: string[] = [];
    const [gone, next] = ["gone", "next"].map((name): SlotWaiter => ({ onSlot: () => served.push(name) }));
    slots.enter({ onSlot: () => {} });
    slots.enter(gone as SlotWaiter);
    slots.enter(next as SlotWaiter);
    slots.forget(gone as SlotWaiter);
    slots.leave();
    expect(served).toEqual(["next"]);
  });
});
