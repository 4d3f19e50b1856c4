// SPDX-License-Identifier: Apache-2.0

/** Operation codes (`type` of `RequestHeader`), by ZooKeeper's names (ZooDefs.OpCode, 3.9). */
export const OpCode = {
  notification: 0,
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getACL: 6,
  setACL: 7,
  getChildren: 8,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  create2: 15,
  reconfig: 16,
  checkWatches: 17,
  removeWatches: 18,
  createContainer: 19,
  deleteContainer: 20,
  createTTL: 21,
  multiRead: 22,
  auth: 100,
  setWatches: 101,
  sasl: 102,
  getEphemerals: 103,
  getAllChildrenNumber: 104,
  setWatches2: 105,
  addWatch: 106,
  whoAmI: 107,
  createSession: -10,
  closeSession: -11,
  error: -1,
} as const;

export type OpCode = (typeof OpCode)[keyof typeof OpCode];

/** Reserved `xid` values: frames that are not a reply to a numbered request. */
export const Xid = {
  notification: -1,
  ping: -2,
  auth: -4,
  setWatches: -8,
} as const;

const names = new Map<number, string>(Object.entries(OpCode).map(([name, code]) => [code, name]));

/** ZooKeeper's name of an operation code, or `op N` for one that is not known. */
export function opCodeName(code: number): string {
  return names.get(code) ?? `op ${code}`;
}
