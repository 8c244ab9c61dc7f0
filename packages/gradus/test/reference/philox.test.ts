import { expect, test } from "vitest";
import { node, philox } from "../../src/graph/index.ts";
import { constant, evaluate } from "./evaluate.ts";

test("Philox 4x32-10 gives the known answers of Random123's kat_vectors", () => {
  const ones = 0xffffffff;
  expect(philox([0, 0, 0, 0], [0, 0])).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  expect(philox([ones, ones, ones, ones], [ones, ones])).toEqual([0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
  // The digits of pi.
  expect(philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])).toEqual([
    0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1,
  ]);
});

test("a random tensor holds a word of Philox at its element's index, under its seed and stream", () => {
  const seed = constant([], [-7], "int32");
  const stream = constant([], [5], "int32");
  for (const word of [0, 1, 2, 3] as const) {
    const bits = node("random", [seed, stream], { word }, { shape: [2, 2], dtype: "int32" });
    const expected = [0, 1, 2, 3].map((i) => philox([i, 0, 5, 0], [-7 >>> 0, 0x47726164])[word] | 0);
    expect(evaluate(bits)).toEqual(expected);
  }
});
