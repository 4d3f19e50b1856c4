// SPDX-License-Identifier: Apache-2.0
// Requests of every kind, for one sequence.
import { type Random, randomInt } from "@meerkat/runtime";
import { type Acl, CreateFlag, OpCode } from "@meerkat/wire";
import { chance, pick, pickWeighted } from "./choices.ts";
import { AclGenerator, PathGenerator } from "./field-generators.ts";
import { type Body, type Mangle, type Operation, type Request, ROOT, type Theme } from "./sequence.ts";

type Make = () => Body;

const VERSIONS = [-1, -1, -1, 0, 0, 1, 2, 7, -2] as const;
const TTLS = [1n, 100_000n, 2n ** 40n - 1n, 2n ** 40n, 0n, -1n, -5n] as const;
const OPERATIONS_MAX = 6;

export class RequestGenerator {
  readonly #random: Random;
  readonly #watches: boolean;
  readonly #operationsMax: number;
  readonly #paths: PathGenerator;
  readonly #acls: AclGenerator;
  /** Mode of the watches that a connection leaves on a path: 3.8 keeps the last one only. */
  readonly #modes = new Map<string, "standard" | "persistent" | "recursive">();
  readonly #kinds: readonly (readonly [number, (connection: number) => Body])[];

  constructor(random: Random, theme: Theme) {
    const restrictsReading = theme === "access";
    this.#random = random;
    this.#operationsMax = theme === "quotas" ? 1 : OPERATIONS_MAX;
    this.#watches = !restrictsReading;
    this.#paths = new PathGenerator(random);
    this.#acls = new AclGenerator(random, restrictsReading);
    this.#kinds = [
      [26, this.#create],
      [8, () => ({ type: OpCode.delete, path: this.#paths.any(), version: this.#version() })],
      [20, this.#read],
      [10, this.#setData],
      [restrictsReading ? 8 : 3, this.#setAcl],
      [8, this.#readPath],
      [3, () => ({ type: OpCode.getEphemerals, prefixPath: this.#prefix() })],
      [10, this.#multi],
      [3, this.#multiRead],
      [restrictsReading ? 5 : 2, this.#auth],
      [restrictsReading ? 1 : 5, this.#addWatch],
      [4, this.#watchesRequest],
      [4, this.#setWatches],
      [3, () => ({ type: pick(this.#random, [OpCode.whoAmI, OpCode.ping, OpCode.reconfig]) })],
      [1.5, () => ({ type: OpCode.closeSession })],
      [0.5, this.#unknown],
      [theme === "quotas" ? 30 : 0, this.#quota],
    ];
  }

  /** Any request on a connection. */
  request(connection: number): Request {
    const random = this.#random;
    const body = pickWeighted(random, this.#kinds)(connection);
    const xid = chance(random, 0.02) ? pick(random, [0, -8, -3, 1, 0x7fffffff, -0x80000000]) : undefined;
    const mangle = chance(random, 0.04) ? this.#mangle(body) : undefined;
    return { ...body, ...(xid === undefined ? {} : { xid }), ...(mangle === undefined ? {} : { mangle }) };
  }

  /** Only what 3.8.0 answers without harm: not in the middle, where one request becomes another. */
  #mangle(body: Body): Mangle | undefined {
    const random = this.#random;
    // An auth packet that cannot be read ends the connection, or nothing: it is read outside of the pipeline.
    if (body.type === OpCode.auth || body.type === "unknown" || body.type === OpCode.closeSession)
      return undefined;
    if (body.type === OpCode.multi || body.type === OpCode.multiRead) {
      return chance(random, 0.5) ? { append: "00ff" } : { cut: 1 + randomInt(random, 8) };
    }
    return pickWeighted<Mangle>(random, [
      [3, { cut: 1 + randomInt(random, 12) }],
      [1, { cut: 1000 }],
      [2, { append: "0001020304" }],
      [1, { firstInt: -1 }],
      [1, { firstInt: -2 }],
      [1, { firstInt: 0x7fffffff }],
    ]);
  }

  #version(): number {
    return pick(this.#random, VERSIONS);
  }

  #data(): string | null {
    return pick(this.#random, ["", "x", "some data", null, "é", "y".repeat(300)]);
  }

  readonly #create: Make = () => {
    const type = pickWeighted(this.#random, [
      [6, OpCode.create],
      [5, OpCode.create2],
      [1.5, OpCode.createContainer],
      [1.5, OpCode.createTTL],
    ] as const);
    return this.#createOf(type);
  };

  #createOf(type: 1 | 15 | 19 | 21): Extract<Body, { readonly flags: number }> {
    const random = this.#random;
    const { path, mayBeSequential } = this.#paths.forCreate();
    const fields = { path, data: this.#data(), acl: this.#acls.any() };
    if (type === OpCode.createContainer) return { ...fields, type, flags: chance(random, 0.05) ? 9 : 4 };
    if (type === OpCode.createTTL) {
      // Without a TTL mode only times that are refused: 3.8.0 ends for good with the others.
      const flags = pickWeighted(random, [
        [8, 5],
        [mayBeSequential ? 4 : 0, 6],
        [1, 0],
        [1, 1],
      ]);
      const isTtl = flags >= 5;
      const ttlMs = pick(random, isTtl ? TTLS : TTLS.filter((ms) => ms >= 0n));
      return { ...fields, type, flags, ttlMs };
    }
    const flags = pickWeighted(random, [
      [9, 0],
      [5, 1],
      [mayBeSequential ? 4 : 0, 2],
      [mayBeSequential ? 3 : 0, 3],
      [0.2, 5],
      [0.2, 7],
      [0.2, -1],
    ]);
    return { ...fields, type, flags };
  }

  readonly #read = (connection: number): Body => {
    const type = pick(this.#random, [
      OpCode.exists,
      OpCode.getData,
      OpCode.getChildren,
      OpCode.getChildren2,
    ] as const);
    const path = this.#paths.any();
    const watch = this.#watches && chance(this.#random, 0.5) && this.#mayWatch(connection, path, "standard");
    return { type, path, watch };
  };

  readonly #setData: Make = () => ({
    type: OpCode.setData,
    path: this.#paths.any(),
    data: this.#data(),
    version: this.#version(),
  });

  readonly #setAcl: Make = () => ({
    type: OpCode.setACL,
    path: this.#paths.own(),
    acl: this.#acls.any(),
    version: this.#version(),
  });

  readonly #readPath: Make = () => ({
    type: pick(this.#random, [OpCode.getACL, OpCode.getACL, OpCode.sync, OpCode.getAllChildrenNumber]),
    path: this.#paths.any(),
  });

  #prefix(): string | null {
    return pick(this.#random, [null, "", "/", "~", "~/", "~/a", "~/b", "/nope", "~/a/"]);
  }

  /** In a multi, flags and operation need not agree: 3.8.0 goes by the flags there. */
  #createInMulti(): Operation {
    const random = this.#random;
    const types = [OpCode.create, OpCode.create2, OpCode.createContainer, OpCode.createTTL] as const;
    const operation = this.#createOf(pick(random, types));
    const lacksTtl = operation.type !== OpCode.createTTL && operation.flags >= CreateFlag.persistentTtl;
    if (chance(random, 0.8) && !lacksTtl) return operation;
    const { path } = operation;
    // 3.8 takes a TTL mode without a time for a TTL create, and stumbles over the missing time.
    const flags = pick(random, path.startsWith("~/") ? [0, 1, 2, 3, 4] : [0, 1, 4]);
    return { ...operation, flags };
  }

  #operation(): Operation {
    const random = this.#random;
    const path = this.#paths.any();
    const version = this.#version();
    return pickWeighted<() => Operation>(random, [
      [5, () => this.#createInMulti()],
      [3, () => ({ type: OpCode.delete, path, version })],
      [3, () => ({ type: OpCode.setData, path, data: this.#data(), version })],
      [2, () => ({ type: OpCode.check, path, version })],
    ])();
  }

  #readOperation(): Operation {
    const type = pick(this.#random, [OpCode.getData, OpCode.getChildren] as const);
    return { type, path: this.#paths.any(), watch: chance(this.#random, 0.3) };
  }

  readonly #multi: Make = () => {
    const operations = Array.from({ length: randomInt(this.#random, this.#operationsMax + 1) }, () =>
      this.#operation(),
    );
    if (chance(this.#random, 0.03)) operations.push(this.#readOperation());
    return { type: OpCode.multi, operations };
  };

  readonly #multiRead: Make = () => {
    const operations = Array.from({ length: randomInt(this.#random, OPERATIONS_MAX) }, () =>
      this.#readOperation(),
    );
    if (chance(this.#random, 0.05)) operations.push(this.#operation());
    return { type: OpCode.multiRead, operations };
  };

  readonly #auth: Make = () => {
    const random = this.#random;
    const scheme = pickWeighted(random, [
      [20, "digest"],
      [1, "ip"],
      [0.3, "world"],
      [0.3, "nonsense"],
    ]);
    const auth = pick(random, ["u1:p1", "u1:p1", "u2:p2", "plain", "u1:wrong", "", "super:differential"]);
    return { type: OpCode.auth, scheme, auth };
  };

  readonly #addWatch = (connection: number): Body => {
    const path = this.#paths.any();
    const mode = pickWeighted(this.#random, [
      [5, 0],
      [5, 1],
      [1, 2],
      [0.5, -1],
    ]);
    if (mode < 0 || mode > 1) return { type: OpCode.addWatch, path, mode };
    const name = mode === 0 ? "persistent" : "recursive";
    const allowed = this.#watches && this.#mayWatch(connection, path, name);
    return { type: OpCode.addWatch, path, mode: allowed ? mode : 3 };
  };

  /** Types 4 and 5 are from 3.9; types 1 and 2 mean something else to persistent watches there. */
  readonly #watchesRequest = (connection: number): Body => {
    const random = this.#random;
    const path = this.#paths.any();
    const isStandard = (this.#modes.get(`${connection} ${path}`) ?? "standard") === "standard";
    const watcherType = isStandard ? pick(random, [1, 2, 3, 3, 0, 6, -1]) : 3;
    // 3.8 looks for the parents of a path when it checks, and stumbles where there are none.
    const hasParents = path.startsWith("/") || path.startsWith(ROOT);
    const types = hasParents ? [OpCode.checkWatches, OpCode.removeWatches] : [OpCode.removeWatches];
    return { type: pick(random, types), path, watcherType };
  };

  readonly #setWatches = (connection: number): Body => {
    const random = this.#random;
    const list = (mode: "standard" | "persistent" | "recursive"): string[] => {
      const paths = Array.from({ length: randomInt(random, 3) }, () => this.#paths.any());
      return paths.filter((path) => this.#watches && this.#mayWatch(connection, path, mode));
    };
    const type = pick(random, [OpCode.setWatches, OpCode.setWatches2] as const);
    const isNew = type === OpCode.setWatches2;
    return {
      type,
      relativeZxid: pick(random, [0, 0, -1, 1, 5, 10, 20, 1000]),
      dataWatches: list("standard"),
      existWatches: list("standard"),
      childWatches: list("standard"),
      persistentWatches: isNew ? list("persistent") : [],
      persistentRecursiveWatches: isNew ? list("recursive") : [],
    };
  };

  readonly #unknown: Make = () => ({
    type: "unknown",
    code: pick(this.#random, [0, 10, 23, 50, 99, 108, 200, -5, -1]),
    hex: pick(this.#random, ["", "00000000", "ffffffff00000001"]),
  });

  readonly #quota: Make = () => {
    const random = this.#random;
    const path = pick(random, ["", "/a", "/b", "/a/b"]);
    const quota = `/zookeeper/quota~${path}`;
    const limits = pick(random, [
      "count=3,bytes=20",
      "count=-1,bytes=-1",
      "count=2,bytes=10=;byteHardLimit=30;countHardLimit=4",
      "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=3",
      "count=-1,bytes=-1=;byteHardLimit=25;countHardLimit=-1",
    ]);
    const acl: readonly Acl[] = [{ permissions: 31, scheme: "world", id: "anyone" }];
    const create = { type: OpCode.create, acl, flags: 0 } as const;
    return pickWeighted<() => Body>(random, [
      [3, () => ({ ...create, path: quota, data: null })],
      [4, () => ({ ...create, path: `${quota}/zookeeper_limits`, data: limits })],
      [3, () => ({ ...create, path: `${quota}/zookeeper_stats`, data: "count=0,bytes=0" })],
      [3, () => ({ type: OpCode.getData, path: `${quota}/zookeeper_stats`, watch: false })],
      [1, () => ({ type: OpCode.setData, path: `${quota}/zookeeper_limits`, data: limits, version: -1 })],
      [1, () => ({ type: OpCode.delete, path: `${quota}/zookeeper_limits`, version: -1 })],
      [1, () => ({ type: OpCode.delete, path: `${quota}/zookeeper_stats`, version: -1 })],
      [1, () => ({ type: OpCode.delete, path: quota, version: -1 })],
      [
        1,
        () => ({
          type: OpCode.setData,
          path: `${quota}/zookeeper_stats`,
          data: "count=2,bytes=9",
          version: -1,
        }),
      ],
    ])();
  };

  /** Whether the connection's watches on the path are of this mode, or were none until now. */
  #mayWatch(connection: number, path: string, mode: "standard" | "persistent" | "recursive"): boolean {
    const key = `${connection} ${path}`;
    const known = this.#modes.get(key) ?? mode;
    this.#modes.set(key, known);
    return known === mode;
  }
}
