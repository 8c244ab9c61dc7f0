import { describe, expect, test } from "vitest";
import { formatMessage, formatOrder, type Message, type Order, parseMessage, parseOrder } from "../src/protocol.ts";

describe("the line protocol", () => {
  test.each<Message>([
    { kind: "ready", version: "1.13.0", threads: 2, firstMs: 12.5, check: [2.31, 2.29] },
    { kind: "ready", version: "0.1.0", threads: 1, firstMs: 3, check: [8.5, 8.5], codegen: "native" },
    { kind: "times", times: [1.25, 1.5] },
    { kind: "memory", peakMb: 412.5 },
    { kind: "error", reason: "two\nlines" },
  ])("brings $kind over, on one line", (message) => {
    const line = formatMessage(message);
    expect(line.indexOf("\n")).toBe(line.length - 1);
    expect(parseMessage(line.trimEnd())).toEqual(message);
  });

  test.each<Order>([{ kind: "run", steps: 37 }, { kind: "memory" }])("brings the order to $kind over", (order) => {
    expect(parseOrder(formatOrder(order).trimEnd())).toEqual(order);
  });

  test("brings a loss over that is not a number", () => {
    const line = formatMessage({ kind: "ready", version: "1", threads: 1, firstMs: 1, check: [2.5, Number.NaN] });
    expect(parseMessage(line)).toMatchObject({ check: [2.5, Number.NaN] });
  });

  test.each([
    "",
    "hello",
    "{ hello",
    "[1]",
    '{"times": ["1"]}',
    '{"times": [null]}',
    '{"peak_mb": "1"}',
    '{"ready": true}',
    "{}",
  ])("takes %j for chatter", (line) => {
    expect(parseMessage(line)).toBeUndefined();
  });

  test.each(["", "run", "run -1", "run 1.5", "runs 3", "memory 3", "stop"])("takes %j for no order", (line) => {
    expect(parseOrder(line)).toBeUndefined();
  });
});
