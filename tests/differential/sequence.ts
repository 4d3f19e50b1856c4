// SPDX-License-Identifier: Apache-2.0
// A sequence of steps that can be played against any server: plain data, so that it can be printed, shrunk and
// played again. `~` in a path stands for the znode of this play alone; zxids count from the play's start.
import { type Acl, type MultiOperation, type OpCode, opCodeName } from "@meerkat/wire";

/** The znode below which a sequence works. */
export const ROOT = "~";

type Op<Name extends keyof typeof OpCode> = (typeof OpCode)[Name];

/** An operation of a multi, with its data as text. */
export type Operation = MultiOperation extends infer T
  ? T extends { readonly data: Uint8Array | null }
    ? Omit<T, "data"> & { readonly data: string | null }
    : T
  : never;

/** What a request's body is made of, told apart by `type`. */
export type Body =
  | {
      readonly type: Op<"create" | "create2" | "createContainer">;
      readonly path: string;
      readonly data: string | null;
      readonly acl: readonly Acl[] | null;
      readonly flags: number;
    }
  | {
      readonly type: Op<"createTTL">;
      readonly path: string;
      readonly data: string | null;
      readonly acl: readonly Acl[] | null;
      readonly flags: number;
      readonly ttlMs: bigint;
    }
  | { readonly type: Op<"delete">; readonly path: string; readonly version: number }
  | {
      readonly type: Op<"exists" | "getData" | "getChildren" | "getChildren2">;
      readonly path: string;
      readonly watch: boolean;
    }
  | {
      readonly type: Op<"setData">;
      readonly path: string;
      readonly data: string | null;
      readonly version: number;
    }
  | {
      readonly type: Op<"setACL">;
      readonly path: string;
      readonly acl: readonly Acl[] | null;
      readonly version: number;
    }
  | { readonly type: Op<"getACL" | "sync" | "getAllChildrenNumber">; readonly path: string }
  | { readonly type: Op<"getEphemerals">; readonly prefixPath: string | null }
  | { readonly type: Op<"multi" | "multiRead">; readonly operations: readonly Operation[] }
  | { readonly type: Op<"auth">; readonly scheme: string; readonly auth: string }
  | { readonly type: Op<"addWatch">; readonly path: string; readonly mode: number }
  | {
      readonly type: Op<"checkWatches" | "removeWatches">;
      readonly path: string;
      readonly watcherType: number;
    }
  | {
      readonly type: Op<"setWatches" | "setWatches2">;
      /** Counted from the start of the play. */
      readonly relativeZxid: number;
      readonly dataWatches: readonly string[];
      readonly existWatches: readonly string[];
      readonly childWatches: readonly string[];
      readonly persistentWatches: readonly string[];
      readonly persistentRecursiveWatches: readonly string[];
    }
  | { readonly type: Op<"whoAmI" | "ping" | "closeSession" | "reconfig"> }
  /** An operation that does not exist, with any body. */
  | { readonly type: "unknown"; readonly code: number; readonly hex: string };

/** What is done to the bytes of a body: some cut off, some added, or a first length that is none. */
export type Mangle = { readonly cut: number } | { readonly append: string } | { readonly firstInt: number };

/** A request; `xid` is the next of its connection when left out. */
export type Request = Body & { readonly xid?: number | undefined; readonly mangle?: Mangle | undefined };

/** Which session a connect request asks for. */
export interface ConnectStep {
  readonly kind: "connect";
  /** A number that no other connection of the sequence has. */
  readonly connection: number;
  readonly timeoutMs: number;
  /** The session that this earlier connection made; left out for a new one, -1 for one that never was. */
  readonly sessionOf?: number | undefined;
  readonly wrongPassword?: boolean | undefined;
  /** Counted from the last zxid seen. */
  readonly zxidAhead?: number | undefined;
  readonly readOnly?: "missing" | boolean | undefined;
}

export type Step =
  | ConnectStep
  /** TCP alone ends; the session stays. */
  | { readonly kind: "drop"; readonly connection: number }
  /** Requests that leave in one write. */
  | { readonly kind: "send"; readonly connection: number; readonly requests: readonly Request[] }
  /** Bytes that are no request. */
  | { readonly kind: "bytes"; readonly connection: number; readonly hex: string };

/**
 * What a sequence is about, since not everything can be compared together (docs/compatibility.md): `watches`;
 * `access`, where ACLs may withhold READ and no watches are left; `quotas`, where no write is sent while another
 * is on its way.
 */
export type Theme = "watches" | "access" | "quotas";

export interface Sequence {
  readonly seed: number;
  readonly theme: Theme;
  readonly steps: readonly Step[];
}

function describeValue(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => (typeof item === "bigint" ? `${item}n` : item));
}

/** One request, as it is printed. */
export function describeRequest(request: Request): string {
  const { type, ...fields } = request;
  const named =
    "operations" in fields
      ? {
          ...fields,
          operations: fields.operations.map((operation) => ({
            ...operation,
            type: opCodeName(operation.type),
          })),
        }
      : fields;
  const name = type === "unknown" ? "unknown operation" : opCodeName(type);
  return `${name} ${describeValue(named)}`;
}

/** One step, as it is printed. */
export function describeStep(step: Step): string {
  if (step.kind === "send") {
    return `connection ${step.connection} sends ${step.requests.map(describeRequest).join("\n        then ")}`;
  }
  const { kind, connection, ...fields } = step;
  return `connection ${connection} ${kind} ${describeValue(fields)}`;
}

/** The whole sequence, a step a line. */
export function describeSequence(sequence: Sequence): string {
  return sequence.steps.map((step, index) => `  ${index}: ${describeStep(step)}`).join("\n");
}
