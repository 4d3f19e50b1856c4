// SPDX-License-Identifier: Apache-2.0
// Operations that change one znode. Each is validated, logged and applied in one step.
import {
  CreateRequest,
  CreateTtlRequest,
  DeleteRequest,
  ErrorCode,
  OpCode,
  SetAclRequest,
  SetDataRequest,
  type Txn,
} from "@meerkat/wire";
import {
  type CreateOperation,
  prepareCreate,
  prepareDelete,
  prepareSetAcl,
  prepareSetData,
} from "../tree/prepare.ts";
import type { Client } from "./client.ts";
import type { Engine } from "./engine.ts";

/** Logs and applies a prepared write, or its refusal; the row it touched, or undefined after a refusal. */
function commitOrRefuse(
  engine: Engine,
  client: Client,
  xid: number,
  prepared: Txn | ErrorCode,
): number | undefined {
  const { id } = client.session;
  if (typeof prepared !== "number") return engine.commit(id, xid, prepared);
  engine.refuse(id, xid, prepared);
  engine.reply(xid, prepared);
  return undefined;
}

/** create, create2, createContainer, createTTL. All but the first answer with a Stat. */
export function create(engine: Engine, client: Client, xid: number, type: CreateOperation["type"]): void {
  const { reader, tree } = engine;
  const request: CreateOperation =
    type === OpCode.createTTL
      ? { type, ...CreateTtlRequest.read(reader) }
      : { type, ...CreateRequest.read(reader) };
  const prepared = prepareCreate(tree, request, engine.contextOf(client));
  const row = commitOrRefuse(engine, client, xid, prepared);
  if (row === undefined) return;
  const frame = engine.beginReply(xid, ErrorCode.OK);
  engine.out.ustring((prepared as { readonly path: string }).path);
  if (type !== OpCode.create) tree.table.writeStat(row, engine.out);
  engine.endReply(frame);
}

export function deleteZnode(engine: Engine, client: Client, xid: number): void {
  const request = DeleteRequest.read(engine.reader);
  const prepared = prepareDelete(engine.tree, request, engine.contextOf(client));
  if (commitOrRefuse(engine, client, xid, prepared) === undefined) return;
  engine.reply(xid, ErrorCode.OK);
}

export function setData(engine: Engine, client: Client, xid: number): void {
  const request = SetDataRequest.read(engine.reader);
  const prepared = prepareSetData(engine.tree, request, engine.contextOf(client));
  replyStat(engine, xid, commitOrRefuse(engine, client, xid, prepared));
}

export function setAcl(engine: Engine, client: Client, xid: number): void {
  const request = SetAclRequest.read(engine.reader);
  const prepared = prepareSetAcl(engine.tree, request, engine.contextOf(client));
  replyStat(engine, xid, commitOrRefuse(engine, client, xid, prepared));
}

function replyStat(engine: Engine, xid: number, row: number | undefined): void {
  if (row === undefined) return;
  const frame = engine.beginReply(xid, ErrorCode.OK);
  engine.tree.table.writeStat(row, engine.out);
  engine.endReply(frame);
}
