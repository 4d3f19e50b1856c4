// SPDX-License-Identifier: Apache-2.0
import { InvalidArgumentError } from "@meerkat/runtime";
import { OpCode, ReconfigRequest, Stat } from "@meerkat/wire";
import { type Operation, Request } from "../session/request.ts";
import { type GetResult, readData } from "./get.ts";

/** Where every ensemble keeps its configuration, whatever the chroot. */
export const CONFIG_PATH = "/zookeeper/config";

/** A change of the ensemble: either `joining` and `leaving`, or all `members` anew. */
export interface ReconfigChange {
  /** Servers to add or change, as in zoo.cfg: `server.4=host:2888:3888;2181`. */
  readonly joining?: readonly string[] | undefined;
  /** Ids of servers to remove. */
  readonly leaving?: readonly (string | number)[] | undefined;
  /** All servers of the new configuration. */
  readonly members?: readonly string[] | undefined;
  /** Only if this is the version of the present configuration (in hexadecimal in its data). */
  readonly fromConfig?: bigint | undefined;
}

/** ReconfigRequest => joining, leaving, newMembers:ustring curConfigId:long. Reply: data:buffer stat:Stat */
const reconfigOperation: Operation<GetResult> = {
  code: OpCode.reconfig,
  name: "reconfig",
  replayable: false,
  write(writer, request) {
    ReconfigRequest.write(writer, request.detail as ReconfigRequest);
  },
  read: (reader) => ({ data: readData(reader), stat: new Stat(reader) }),
};

/** Changes the ensemble. Throws `InvalidArgumentError` when both ways are mixed. */
export function reconfigRequest(change: ReconfigChange): Request<GetResult> {
  const { joining, leaving, members } = change;
  if ((members !== undefined) === (joining !== undefined || leaving !== undefined)) {
    throw new InvalidArgumentError("change", "reconfig takes either members, or joining and leaving");
  }
  const list = (items: readonly (string | number)[] | undefined): string | null => items?.join(",") ?? null;
  const detail: ReconfigRequest = {
    joiningServers: list(joining),
    leavingServers: list(leaving),
    newMembers: list(members),
    curConfigId: change.fromConfig ?? -1n,
  };
  return new Request(reconfigOperation, CONFIG_PATH, null, 0, null, undefined, detail);
}
