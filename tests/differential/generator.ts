// SPDX-License-Identifier: Apache-2.0
// Sequences from a seed. Few names and many errors: the servers are compared where requests meet. What Apache
// ZooKeeper 3.8.0 does not survive, and what the servers do differently on purpose without a way to compare it
// anyway, is not generated; docs/compatibility.md lists it.
import { type Random, randomInt, seededRandom } from "@meerkat/runtime";
import { OpCode } from "@meerkat/wire";
import { chance, pick, pickWeighted } from "./choices.ts";
import { RequestGenerator } from "./request-generator.ts";
import type { ConnectStep, Request, Sequence, Step, Theme } from "./sequence.ts";

const CONNECTIONS_MAX = 4;
const STEPS_MIN = 20;
const STEPS_MAX = 70;
const PIPELINED_MAX = 6;

/** Requests that are answered outside of Apache's pipeline, or end the connection: always alone in a step. */
function standsAlone({ type }: Request): boolean {
  return type === OpCode.auth || type === OpCode.closeSession || type === "unknown";
}

/** One sequence in the making. */
class SequenceGenerator {
  readonly #random: Random;
  readonly #theme: Theme;
  readonly #requests: RequestGenerator;
  readonly #steps: Step[] = [];
  /** Open connections. */
  #open: number[] = [];
  /** Connections whose sessions were not closed. */
  #sessions: number[] = [];
  /** By connection: whose session it uses. */
  readonly #makers = new Map<number, number>();
  #connections = 0;

  constructor(random: Random, theme: Theme) {
    this.#random = random;
    this.#theme = theme;
    this.#requests = new RequestGenerator(random, theme);
  }

  generate(): Step[] {
    const count = STEPS_MIN + randomInt(this.#random, STEPS_MAX - STEPS_MIN);
    this.#connect({});
    while (this.#steps.length < count) this.#step();
    return this.#steps;
  }

  #step(): void {
    const random = this.#random;
    const connection = this.#open.length === 0 ? undefined : pick(random, this.#open);
    if (connection === undefined || (chance(random, 0.08) && this.#open.length < CONNECTIONS_MAX)) {
      this.#connectSomehow();
    } else if (chance(random, 0.03)) {
      this.#open = this.#open.filter((other) => other !== connection);
      this.#steps.push({ kind: "drop", connection });
    } else if (chance(random, 0.01)) {
      this.#open = this.#open.filter((other) => other !== connection);
      const hex = pick(random, ["ffffffff", "80000000", "00100000", "00000003010203", "0000000400000001"]);
      this.#steps.push({ kind: "bytes", connection, hex });
    } else this.#send(connection);
  }

  #send(connection: number): void {
    const random = this.#random;
    const requests = [this.#requests.request(connection)];
    const mayPipeline = this.#theme !== "quotas" && chance(random, 0.3);
    const count = mayPipeline ? 1 + randomInt(random, PIPELINED_MAX) : 1;
    // Behind a setACL on its way, Apache still goes by the old ACL, or not, as it happens.
    const mayGoOn = (): boolean => !requests.some((r) => standsAlone(r) || r.type === OpCode.setACL);
    while (requests.length < count && mayGoOn()) {
      const next = this.#requests.request(connection);
      if (!standsAlone(next)) requests.push(next);
    }
    this.#steps.push({ kind: "send", connection, requests });
    const last = requests.at(-1) as Request;
    const ends = last.type === OpCode.closeSession || last.type === "unknown" || isRefusedAuth(last);
    if (ends) this.#open = this.#open.filter((other) => other !== connection);
    if (last.type === OpCode.closeSession) {
      const maker = this.#makers.get(connection);
      this.#sessions = this.#sessions.filter((other) => other !== maker);
    }
  }

  #connect(options: Partial<ConnectStep>): void {
    const connection = this.#connections++;
    const timeoutMs = pick(this.#random, [30_000, 45_000, 1, -5, 0, 99_999_999]);
    this.#steps.push({ kind: "connect", connection, timeoutMs, ...options });
    const fails = options.sessionOf === -1 || options.wrongPassword === true || (options.zxidAhead ?? 0) > 0;
    if (fails) return;
    this.#open.push(connection);
    this.#makers.set(connection, options.sessionOf ?? connection);
    if (options.sessionOf === undefined) this.#sessions.push(connection);
    else {
      const { sessionOf } = options;
      this.#open = this.#open.filter(
        (other) => other === connection || this.#makers.get(other) !== sessionOf,
      );
    }
  }

  #connectSomehow(): void {
    const random = this.#random;
    const readOnly = pick(random, ["missing", true, false, false] as const);
    const dropped = this.#sessions.filter((maker) =>
      this.#open.every((connection) => this.#makers.get(connection) !== maker),
    );
    const ways: (readonly [weight: number, options: Partial<ConnectStep>])[] = [
      [5, { readOnly, zxidAhead: pick(random, [undefined, 0, -1]) }],
      [0.3, { sessionOf: -1 }],
      [0.3, { zxidAhead: 1_000_000 }],
    ];
    if (dropped.length > 0) {
      const sessionOf = pick(random, dropped);
      ways.push([7, { sessionOf, readOnly }], [1.5, { sessionOf, wrongPassword: true }]);
    }
    // A session that another connection holds: it is taken over.
    if (this.#sessions.length > 0) ways.push([0.7, { sessionOf: pick(random, this.#sessions), readOnly }]);
    this.#connect(pickWeighted(random, ways));
  }
}

function isRefusedAuth(request: Request): boolean {
  return request.type === OpCode.auth && request.scheme !== "digest" && request.scheme !== "ip";
}

/** The sequence of a seed. */
export function generateSequence(seed: number): Sequence {
  const random = seededRandom(seed);
  const theme = pickWeighted<Theme>(random, [
    [5, "watches"],
    [4, "access"],
    [2, "quotas"],
  ]);
  return { seed, theme, steps: new SequenceGenerator(random, theme).generate() };
}
