// SPDX-License-Identifier: Apache-2.0
export {
  type Acl,
  AclRecord,
  CREATOR_ALL_ACL,
  digestId,
  OPEN_ACL,
  Permission,
  READ_ONLY_ACL,
  readAcls,
  writeAcls,
} from "./acl.ts";
export { ErrorCode, type ErrorCodeName, errorCodeName } from "./error-code.ts";
export { FrameDecoder, type FrameSink } from "./frame-decoder.ts";
export { JuteReader } from "./jute/reader.ts";
export type { JuteRecord } from "./jute/record.ts";
export { JuteWriter } from "./jute/writer.ts";
export { OpCode, opCodeName, Xid } from "./op-code.ts";
export { joinPath, nodeName, parentPath, pathProblem, sequenceSuffix } from "./path.ts";
export { GetAclResponse, SetAclRequest } from "./records/acl-requests.ts";
export { AuthPacket, type ClientInfo, SaslToken, WhoAmIResponse } from "./records/auth.ts";
export { ConnectRequest, ConnectResponse } from "./records/connect.ts";
export {
  Create2Response,
  CreateFlag,
  CreateRequest,
  CreateResponse,
  CreateTtlRequest,
} from "./records/create.ts";
export { CheckVersionRequest, DeleteRequest } from "./records/delete.ts";
export { GetChildren2Response, GetChildrenResponse } from "./records/get-children.ts";
export { GetDataResponse } from "./records/get-data.ts";
export { ReplyHeader, RequestHeader } from "./records/headers.ts";
export {
  type MultiOperation,
  MultiRequest,
  MultiResponse,
  type MultiResult,
} from "./records/multi.ts";
export { CountResponse, ErrorResponse, GetEphemeralsRequest, ReconfigRequest } from "./records/queries.ts";
export { PathRecord, ReadRequest } from "./records/read-request.ts";
export { SetDataRequest, StatResponse } from "./records/set-data.ts";
export { readTxn, type Txn, TxnHeader, writeTxn } from "./records/txn.ts";
export {
  AddWatchMode,
  AddWatchRequest,
  EventType,
  KeeperState,
  SetWatches,
  SetWatches2,
  WatcherEvent,
  WatcherType,
  WatchesRequest,
} from "./records/watches.ts";
export { Stat, type StatFields, StatRecord } from "./stat.ts";
export { WireFormatError } from "./wire-format-error.ts";
