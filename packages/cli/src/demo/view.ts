// SPDX-License-Identifier: Apache-2.0
// The demo on a screen: a picture redrawn in place on a terminal, lines everywhere else.
import type { Clock, Timer } from "@meerkat/runtime";
import { createLogUpdate } from "log-update";
import { type Environment, type Output, writeLine } from "../io.ts";
import { drawFrame } from "./frame.ts";
import type { DemoModel } from "./model.ts";

/** Shows a model until it is closed. */
export interface View {
  /** Something happened. */
  news(text: string): void;
  /** Begins to show the model. */
  show(model: DemoModel): void;
  /** Draws the last state and lets go of the screen. */
  close(): void;
}

/** Time between two pictures: quick enough to look alive, slow enough to read. */
const FRAME_MS = 80;
/** Time between two lines of numbers where there is no terminal. */
const PULSE_MS = 1_000;

/** The view that fits the output. */
export function createView(output: Output, env: Environment, clock: Clock): View {
  return output.isTerminal && env.TERM !== "dumb"
    ? new TerminalView(output, clock)
    : new LineView(output, clock);
}

class TerminalView implements View {
  readonly #output: Output;
  readonly #clock: Clock;
  readonly #update: ReturnType<typeof createLogUpdate>;
  #model: DemoModel | undefined;
  #timer: Timer | undefined;

  constructor(output: Output, clock: Clock) {
    this.#output = output;
    this.#clock = clock;
    this.#update = createLogUpdate(output.stream as NodeJS.WriteStream);
  }

  news(): void {}

  show(model: DemoModel): void {
    this.#model = model;
    this.#tick();
  }

  close(): void {
    this.#timer?.cancel();
    this.#draw();
    this.#update.done();
  }

  #tick(): void {
    this.#draw();
    this.#timer = this.#clock.after(FRAME_MS, () => this.#tick());
  }

  #draw(): void {
    if (this.#model === undefined) return;
    const { columns = 80 } = this.#output.stream as NodeJS.WriteStream;
    this.#update(drawFrame(this.#model, { columns, colors: this.#output.colors }));
  }
}

class LineView implements View {
  readonly #output: Output;
  readonly #clock: Clock;
  #model: DemoModel | undefined;
  #timer: Timer | undefined;
  #callsSeen = 0;

  constructor(output: Output, clock: Clock) {
    this.#output = output;
    this.#clock = clock;
  }

  news(text: string): void {
    const seconds = ((this.#model?.elapsedMs ?? 0) / 1000).toFixed(1).padStart(5);
    writeLine(this.#output, `${this.#output.colors.dim(`[${seconds} s]`)} ${text}`);
  }

  show(model: DemoModel): void {
    this.#model = model;
    this.#pulse();
  }

  close(): void {
    this.#timer?.cancel();
  }

  #pulse(): void {
    const model = this.#model;
    if (model !== undefined && model.tally.calls > this.#callsSeen) {
      this.#callsSeen = model.tally.calls;
      const shares = model.servers
        .map(({ port, key }) => `${port}: ${model.tally.answeredBy(key)}`)
        .join(", ");
      const percent = Math.round(model.progress * 100);
      this.news(
        `${percent} %  ${model.tally.calls} calls, ${model.tally.failures} failed (${shares})  ${model.tally.lastResult}`,
      );
    }
    this.#timer = this.#clock.after(PULSE_MS, () => this.#pulse());
  }
}
