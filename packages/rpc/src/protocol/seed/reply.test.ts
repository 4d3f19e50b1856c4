// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteWriter } from "../../bytes/byte-writer.ts";
import { f32 } from "../../value-type.ts";
import {
  argumentFaultText,
  faultOf,
  INTERNAL_TEXT,
  resultRangeText,
  unknownMethodText,
} from "./fault-text.ts";
import { SeedReplyDecoder, type UnknownReplyPolicy } from "./reply-decoder.ts";
import { writeError, writeResult } from "./reply-encoder.ts";

function errorBytes(text: string, bytesMax = 65_536): Buffer {
  const writer = new ByteWriter();
  writeError(writer, text, bytesMax);
  return writer.take();
}

function resultBytes(value: number): Buffer {
  const writer = new ByteWriter();
  writeResult(writer, f32, value);
  return writer.take();
}

/** What a Python server of the seed sends: the length counts characters, the text is UTF-8. */
function pythonErrorBytes(text: string): Buffer {
  const head = Buffer.alloc(5, 2);
  head.writeUInt32BE([...text].length, 1);
  return Buffer.concat([head, Buffer.from(text)]);
}

function decoder(unknownReply: UnknownReplyPolicy = "error"): SeedReplyDecoder {
  return new SeedReplyDecoder(65_536, unknownReply);
}

describe("a reply", () => {
  it("has the seed's bytes for the result 2.0", () => {
    expect(resultBytes(2).toString("hex")).toBe("0140000000");
  });

  it("has the seed's bytes for an error", () => {
    expect(errorBytes("invalid operation").toString("hex")).toBe(
      `0200000011${Buffer.from("invalid operation").toString("hex")}`,
    );
  });

  it("declares the length of an error in bytes, not in characters", () => {
    expect(errorBytes("除数不能为零").readUInt32BE(1)).toBe(18);
  });

  it("is cut between two characters when the text is too long", () => {
    expect(errorBytes("除数", 5).toString("hex")).toBe(`0200000003${Buffer.from("除").toString("hex")}`);
    expect(errorBytes("abc", 2).toString("hex")).toBe("02000000026162");
    expect(errorBytes("除", 2).toString("hex")).toBe("0200000000");
  });
});

describe("the reply decoder", () => {
  it("reads a result, after which the connection may be used again", () => {
    const replies = decoder();
    expect(replies.push(resultBytes(1 / 3), f32)).toBe(true);
    expect(replies).toMatchObject({ isResult: true, value: 0.3333333432674408, reusable: true });
    expect(replies.push(resultBytes(2), f32)).toBe(true);
    expect(replies.value).toBe(2);
  });

  it("gives the same reply for every split", () => {
    for (const bytes of [resultBytes(2), errorBytes("invalid operation"), errorBytes("除数")]) {
      const whole = decoder();
      whole.push(bytes, f32);
      for (let at = 1; at < bytes.length; at++) {
        const split = decoder();
        const first = Buffer.from(bytes.subarray(0, at));
        expect(split.push(first, f32)).toBe(false);
        first.fill(0xee);
        expect(split.push(bytes.subarray(at), f32)).toBe(true);
        for (const field of ["isResult", "value", "text", "reusable"] as const) {
          expect(split[field]).toEqual(whole[field]);
        }
      }
    }
  });

  it("trusts the connection after a text of ASCII, whose length is the same either way", () => {
    const replies = decoder();
    replies.push(errorBytes("invalid operation"), f32);
    expect(replies).toMatchObject({ isResult: false, text: "invalid operation", reusable: true });
  });

  it("makes the text whole when a Python server counted characters, and gives up the connection", () => {
    const replies = decoder();
    expect(replies.push(pythonErrorBytes("除数不能为零"), f32)).toBe(true);
    expect(replies).toMatchObject({ text: "除数不能为零", reusable: false });
  });

  it("never trusts the connection after a text counted in characters, wherever it is cut", () => {
    const text = fc
      .array(fc.constantFrom("a", "é", "除", "😀", " "), { minLength: 1, maxLength: 8 })
      .map((characters) => characters.join(""));
    fc.assert(
      fc.property(text, fc.nat(40), (message, cut) => {
        const bytes = pythonErrorBytes(message);
        const declared = 5 + bytes.readUInt32BE(1);
        const at = Math.min(Math.max(cut, declared), bytes.length);
        const replies = decoder();
        expect(replies.push(bytes.subarray(0, at), f32)).toBe(true);
        expect(replies.reusable).toBe(Buffer.byteLength(message) === message.length);
      }),
    );
  });

  it("reads a broken end of a text with replacement characters", () => {
    const replies = decoder();
    replies.push(Buffer.from("0200000002e999", "hex"), f32);
    expect(replies).toMatchObject({ text: "\ufffd", reusable: false });
  });

  it("refuses what is no reply", () => {
    expect(() => decoder().push(Buffer.from([3, 0, 0, 0, 0]), f32)).toThrow("unknown kind 3");
    expect(() => decoder().push(Buffer.from("0200010001", "hex"), f32)).toThrow("65537 bytes declared");
    expect(() => decoder().push(Buffer.from("014000000000", "hex"), f32)).toThrow(
      "more bytes than the reply has",
    );
  });

  it("reads every other kind as an error where that is asked for, as the seed's client does", () => {
    const replies = decoder("text");
    expect(replies.push(Buffer.from("09000000026f6b", "hex"), f32)).toBe(true);
    expect(replies).toMatchObject({ isResult: false, text: "ok" });
  });
});

describe("the server's own refusals", () => {
  it("are known again by the client, with the effect they had", () => {
    expect(faultOf(INTERNAL_TEXT, "divide")).toEqual({ code: "INTERNAL", effect: "applied" });
    expect(faultOf(unknownMethodText("divide"), "divide")).toEqual({
      code: "UNKNOWN_METHOD",
      effect: "none",
    });
    expect(faultOf(resultRangeText("divide", "f32"), "divide")?.code).toBe("RESULT_OUT_OF_RANGE");
    for (const fault of ["unknown", "truncated", "duplicate", "missing"] as const) {
      expect(faultOf(argumentFaultText(fault, 3, "divide"), "divide")).toEqual({
        code: "BAD_ARGUMENTS",
        effect: "none",
      });
    }
  });

  it("are not seen in an application's texts", () => {
    for (const text of ["invalid operation", "unknown method other", "unknown argument 1 of other", ""]) {
      expect(faultOf(text, "divide")).toBeUndefined();
    }
  });
});
