// SPDX-License-Identifier: Apache-2.0
import type { Logger, Socket } from "@meerkat/runtime";
import { ByteWriter } from "../bytes/byte-writer.ts";
import { ArgumentParser } from "../protocol/seed/arguments.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { RpcServerSettings } from "./options.ts";
import { SeedSession } from "./seed-session.ts";
import type { ServerSession, ServerWire } from "./server-wire.ts";

/** The seed's wire on the server, and what its sessions share. */
export class SeedServerWire implements ServerWire {
  readonly name: string = "seed";
  readonly dispatcher: Dispatcher;
  readonly settings: RpcServerSettings;
  readonly logger: Logger;
  readonly parser: ArgumentParser;
  /** Sessions take what they wrote before they return, so one writer serves them all. */
  readonly writer: ByteWriter = new ByteWriter();

  constructor(dispatcher: Dispatcher, settings: RpcServerSettings, logger: Logger) {
    this.dispatcher = dispatcher;
    this.settings = settings;
    this.logger = logger;
    this.parser = new ArgumentParser(settings.duplicateArguments);
  }

  /** A request starts with the big-endian length of a short name. */
  matches(firstByte: number): boolean {
    return firstByte === 0;
  }

  accept(socket: Socket): ServerSession {
    return new SeedSession(this, socket);
  }
}
