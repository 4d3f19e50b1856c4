// SPDX-License-Identifier: Apache-2.0
// Finds the first difference between two plays of a sequence. What may differ is listed here, each exemption as
// narrow as it can be; docs/compatibility.md gives the reasons.
import { isDeepStrictEqual } from "node:util";
import { CreateFlag, ErrorCode, OpCode } from "@meerkat/wire";
import type { Comparable, Observation } from "./observation.ts";
import type { Play, StepOutcome } from "./player.ts";
import { describeRequest, describeStep, type Request, type Sequence, type Step } from "./sequence.ts";

export interface Difference {
  /** Index of the step after which it showed; the number of steps when only the trees differ. */
  readonly step: number;
  readonly connection?: number | undefined;
  readonly embedded: Comparable;
  readonly real: Comparable;
}

/** Operations after which a watch of the connection may be on a path. */
const armingTypes: ReadonlySet<Request["type"]> = new Set<Request["type"]>([
  OpCode.exists,
  OpCode.getData,
  OpCode.getChildren,
  OpCode.getChildren2,
  OpCode.addWatch,
  OpCode.setWatches,
  OpCode.setWatches2,
]);

/** True when an earlier request of another connection may have left a watch on the path. */
function othersMayWatch(steps: readonly Step[], connection: number, path: string): boolean {
  return steps.some(
    (step) =>
      step.kind === "send" &&
      step.connection !== connection &&
      step.requests.some(
        (request) => armingTypes.has(request.type) && describeRequest(request).includes(JSON.stringify(path)),
      ),
  );
}

type Reply = Extract<Observation, { readonly kind: "reply" }>;

function fieldsOf(value: Comparable | undefined): { readonly [name: string]: Comparable } {
  const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
  return isRecord ? (value as { readonly [name: string]: Comparable }) : {};
}

/** One answer of a multi as 3.8 gives it: create2 is answered as create, without the stat. */
function asOlder(result: Comparable): Comparable {
  const { type, result: inner } = fieldsOf(result);
  const { path } = fieldsOf(inner);
  if (type !== OpCode.create2 || path === undefined) return result;
  return { ...fieldsOf(result), type: OpCode.create, result: { path } };
}

/** Replaces the answers to create2 in a multi's results by those of 3.8; other answers stay. */
function resultsAsOlder(request: Request, body: Comparable): Comparable {
  if (request.type !== OpCode.multi || !Array.isArray(body)) return body;
  const results = body as readonly Comparable[];
  return results.map((result, index) => {
    const operation = request.operations[index];
    const isPlain = operation?.type === OpCode.create2 && operation.flags !== CreateFlag.container;
    return isPlain ? asOlder(result) : result;
  });
}

/** One deliberate difference between two replies. */
interface Exemption {
  readonly type: Request["type"];
  readonly reason: string;
  readonly covers: (embedded: Reply, real: Reply, sequence: Sequence, step: number) => boolean;
}

const exemptions: readonly Exemption[] = [
  {
    type: OpCode.exists,
    reason: "from 3.8.4 on exists needs READ",
    covers: (embedded, real, sequence) =>
      sequence.theme === "access" &&
      embedded.err === ErrorCode.NO_AUTH &&
      real.err === ErrorCode.OK &&
      embedded.xid === real.xid &&
      embedded.zxid === real.zxid,
  },
  {
    type: OpCode.checkWatches,
    reason: "3.8 finds the watches of any connection",
    covers: ({ request, err }, real, sequence, step) =>
      request.type === OpCode.checkWatches &&
      err === ErrorCode.NO_WATCHER &&
      real.err === ErrorCode.OK &&
      othersMayWatch(sequence.steps.slice(0, step), sequence.steps[step]?.connection ?? -1, request.path),
  },
  {
    type: OpCode.getAllChildrenNumber,
    reason: "3.8 counts the root twice when it is asked for by the empty path",
    covers: (embedded, real) =>
      embedded.request.type === OpCode.getAllChildrenNumber &&
      embedded.request.path === "" &&
      typeof embedded.body === "number" &&
      isDeepStrictEqual(real, { ...embedded, body: embedded.body + 1 }),
  },
  {
    type: OpCode.multiRead,
    reason: "3.8 sends the results so far behind the error, where no client looks",
    covers: (embedded, real) =>
      embedded.err === ErrorCode.MARSHALLING_ERROR && isDeepStrictEqual(embedded, { ...real, body: null }),
  },
  {
    type: OpCode.multi,
    reason: "from 3.9 on a create2 in a multi is answered as such",
    covers: (embedded, real) =>
      isDeepStrictEqual({ ...embedded, body: resultsAsOlder(embedded.request, embedded.body) }, real),
  },
];

function agree(embedded: Observation, real: Observation, sequence: Sequence, step: number): boolean {
  if (isDeepStrictEqual(embedded, real)) return true;
  if (embedded.kind !== "reply" || real.kind !== "reply") return false;
  return exemptions.some(
    ({ type, covers }) => type === embedded.request.type && covers(embedded, real, sequence, step),
  );
}

const eventKey = (item: Observation): string =>
  item.kind === "event" ? `${item.path}\n${item.type} ${item.state}` : "";

/** The end of a session deletes its ephemerals in any order: the events of such a step are put into one. */
function inOneOrder(observations: readonly Observation[], step: Step): readonly Observation[] {
  const ends = step.kind === "send" && step.requests.some(({ type }) => type === OpCode.closeSession);
  if (!ends) return observations;
  const events = observations.filter(({ kind }) => kind === "event");
  events.sort((a, b) => (eventKey(a) < eventKey(b) ? -1 : 1));
  let next = 0;
  return observations.map((item) => (item.kind === "event" ? (events[next++] as Observation) : item));
}

function stepDifference(
  embedded: StepOutcome,
  real: StepOutcome,
  sequence: Sequence,
  index: number,
): Difference | undefined {
  const step = sequence.steps[index] as Step;
  const connections = [...new Set([...embedded.keys(), ...real.keys()])].sort((a, b) => a - b);
  for (const connection of connections) {
    const ours = inOneOrder(embedded.get(connection) ?? [], step);
    const theirs = inOneOrder(real.get(connection) ?? [], step);
    const length = Math.max(ours.length, theirs.length);
    for (let at = 0; at < length; at++) {
      const [left, right] = [ours[at], theirs[at]];
      if (left !== undefined && right !== undefined && agree(left, right, sequence, index)) continue;
      return { step: index, connection, embedded: shown(ours.slice(at)), real: shown(theirs.slice(at)) };
    }
  }
  return undefined;
}

/** Observations without what is the same on both sides. */
function shown(observations: readonly Observation[]): Comparable {
  return observations.map((item) => {
    if (item.kind !== "reply") return { ...item };
    const { request, ...rest } = item;
    return { ...rest, request: describeRequest(request) };
  });
}

/** The first difference that is not deliberate. */
export function compare(sequence: Sequence, embedded: Play, real: Play): Difference | undefined {
  for (let index = 0; index < sequence.steps.length; index++) {
    const [left, right] = [embedded.steps[index], real.steps[index]];
    if (left === undefined || right === undefined) throw new Error(`step ${index} was not played`);
    const difference = stepDifference(left, right, sequence, index);
    if (difference !== undefined) return difference;
  }
  if (isDeepStrictEqual(embedded.tree, real.tree)) return undefined;
  const step = sequence.steps.length;
  return { step, embedded: without(embedded.tree, real.tree), real: without(real.tree, embedded.tree) };
}

/** The fields of a tree that another does not have alike. */
function without(tree: Comparable, other: Comparable): Comparable {
  const known = fieldsOf(other);
  return Object.fromEntries(
    Object.entries(fieldsOf(tree)).filter(([path, znode]) => !isDeepStrictEqual(znode, known[path])),
  );
}

/** What a person needs to see the difference again. */
export function describeDifference(sequence: Sequence, difference: Difference): string {
  const { step, connection, embedded, real } = difference;
  const where =
    connection === undefined ? "in the tree that is left" : `at connection ${connection}, after step ${step}`;
  const steps = sequence.steps.map((item, index) => `  ${index}: ${describeStep(item)}`);
  return [
    `The servers differ ${where} (seed ${sequence.seed}):`,
    ...steps,
    `embedded: ${JSON.stringify(embedded, undefined, 1)}`,
    `real:     ${JSON.stringify(real, undefined, 1)}`,
  ].join("\n");
}
