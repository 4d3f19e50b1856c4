// SPDX-License-Identifier: Apache-2.0
import { type JuteWriter, OpCode, SetWatches, SetWatches2, Xid } from "@meerkat/wire";
import type { WatchChunk } from "./session-watches.ts";

/**
 * Writes one frame that arms the paths of a chunk. The old form is used while no persistent watch is in
 * it: servers before 3.6 know only that one.
 */
export function writeSetWatches(writer: JuteWriter, chunk: WatchChunk, relativeZxid: bigint): void {
  const request = {
    relativeZxid,
    dataWatches: chunk.data,
    existWatches: chunk.exist,
    childWatches: chunk.child,
    persistentWatches: chunk.persistent,
    persistentRecursiveWatches: chunk.recursive,
  };
  const old = chunk.persistent.length === 0 && chunk.recursive.length === 0;
  const frame = writer.beginFrame();
  writer.int(Xid.setWatches);
  writer.int(old ? OpCode.setWatches : OpCode.setWatches2);
  if (old) SetWatches.write(writer, request);
  else SetWatches2.write(writer, request);
  writer.endFrame(frame);
}
