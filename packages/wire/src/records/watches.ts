// SPDX-License-Identifier: Apache-2.0
import type { JuteRecord } from "../jute/record.ts";
import { readStrings, writeStrings } from "./get-children.ts";

/** Types of a watch event (Watcher.Event.EventType). */
export const EventType = {
  none: -1,
  nodeCreated: 1,
  nodeDeleted: 2,
  nodeDataChanged: 3,
  nodeChildrenChanged: 4,
} as const;

/** `state` of a watch event (Watcher.Event.KeeperState); the server sends `syncConnected`. */
export const KeeperState = { disconnected: 0, syncConnected: 3, authFailed: 4, expired: -112 } as const;

/** `mode` of addWatch (AddWatchMode). */
export const AddWatchMode = { persistent: 0, persistentRecursive: 1 } as const;

/** `watcherType` of removeWatches and checkWatches (Watcher.WatcherType); 4 and 5 since 3.9. */
export const WatcherType = { children: 1, data: 2, any: 3, persistent: 4, persistentRecursive: 5 } as const;

/** Body of a notification (xid -1). */
export interface WatcherEvent {
  /** An `EventType`. */
  readonly type: number;
  readonly state: number;
  readonly path: string;
}

/** Re-arms one-shot watches after a reconnect; what changed since `relativeZxid` fires at once. */
export interface SetWatches {
  readonly relativeZxid: bigint;
  readonly dataWatches: readonly string[];
  readonly existWatches: readonly string[];
  readonly childWatches: readonly string[];
}

/** The same with the persistent kinds, which are armed without catching up. */
export interface SetWatches2 extends SetWatches {
  readonly persistentWatches: readonly string[];
  readonly persistentRecursiveWatches: readonly string[];
}

export interface AddWatchRequest {
  readonly path: string;
  /** An `AddWatchMode`. */
  readonly mode: number;
}

/** Body of removeWatches and checkWatches. */
export interface WatchesRequest {
  readonly path: string;
  /** A `WatcherType`. */
  readonly watcherType: number;
}

/** WatcherEvent => type:int state:int path:ustring */
export const WatcherEvent: JuteRecord<WatcherEvent> = {
  write(writer, event) {
    writer.int(event.type);
    writer.int(event.state);
    writer.ustring(event.path);
  },
  read(reader) {
    return { type: reader.int(), state: reader.int(), path: reader.text() };
  },
};

/** SetWatches => relativeZxid:long dataWatches:vector<ustring> existWatches:vector<ustring> childWatches:vector<ustring> */
export const SetWatches: JuteRecord<SetWatches> = {
  write(writer, request) {
    writer.long(request.relativeZxid);
    writeStrings(writer, request.dataWatches);
    writeStrings(writer, request.existWatches);
    writeStrings(writer, request.childWatches);
  },
  read(reader) {
    return {
      relativeZxid: reader.long(),
      dataWatches: readStrings(reader),
      existWatches: readStrings(reader),
      childWatches: readStrings(reader),
    };
  },
};

/** SetWatches2 => SetWatches persistentWatches:vector<ustring> persistentRecursiveWatches:vector<ustring> */
export const SetWatches2: JuteRecord<SetWatches2> = {
  write(writer, request) {
    SetWatches.write(writer, request);
    writeStrings(writer, request.persistentWatches);
    writeStrings(writer, request.persistentRecursiveWatches);
  },
  read(reader) {
    const { relativeZxid, dataWatches, existWatches, childWatches } = SetWatches.read(reader);
    return {
      relativeZxid,
      dataWatches,
      existWatches,
      childWatches,
      persistentWatches: readStrings(reader),
      persistentRecursiveWatches: readStrings(reader),
    };
  },
};

/** AddWatchRequest => path:ustring mode:int. The reply is an ErrorResponse with 0. */
export const AddWatchRequest: JuteRecord<AddWatchRequest> = {
  write(writer, request) {
    writer.ustring(request.path);
    writer.int(request.mode);
  },
  read(reader) {
    return { path: reader.text(), mode: reader.int() };
  },
};

/** RemoveWatchesRequest, CheckWatchesRequest => path:ustring type:int. The reply has no body. */
export const WatchesRequest: JuteRecord<WatchesRequest> = {
  write(writer, request) {
    writer.ustring(request.path);
    writer.int(request.watcherType);
  },
  read(reader) {
    return { path: reader.text(), watcherType: reader.int() };
  },
};
