// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { type LogFile, logFileName, logsAfter, snapshotFileName } from "./file-names.ts";

function logs(...zxids: readonly number[]): LogFile[] {
  return zxids.map((zxid) => ({ path: logFileName(zxid), name: logFileName(zxid), zxid }));
}

describe("file names", () => {
  it("hold the zxid in lower-case hexadecimal without padding", () => {
    expect(logFileName(0x1_0000_00ab)).toBe("log.1000000ab");
    expect(snapshotFileName(0)).toBe("snapshot.0");
  });

  it("tell which logs have transactions after a snapshot", () => {
    const all = logs(1, 10, 20);
    const after = (zxid: number): number[] => logsAfter(all, zxid).map((log) => log.zxid);
    expect(after(0)).toEqual([1, 10, 20]);
    // The log that begins with the next transaction makes those before it needless.
    expect(after(9)).toEqual([10, 20]);
    expect(after(8)).toEqual([1, 10, 20]);
    expect(after(15)).toEqual([10, 20]);
    expect(after(500)).toEqual([20]);
    expect(logsAfter(logs(5), 0).map((log) => log.zxid)).toEqual([5]);
  });
});
