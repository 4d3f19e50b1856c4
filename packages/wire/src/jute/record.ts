// SPDX-License-Identifier: Apache-2.0
import type { JuteReader } from "./reader.ts";
import type { JuteWriter } from "./writer.ts";

/** Both directions of one record: `read(write(x))` is `x` for every valid `x`. */
export interface JuteRecord<T> {
  write(writer: JuteWriter, value: T): void;
  /** Throws `WireFormatError` on malformed bytes; buffers in the result are views of the frame. */
  read(reader: JuteReader): T;
}
