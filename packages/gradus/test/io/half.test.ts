// Half precision: every one of the 65,536 patterns of bits, and rounding to the nearest with ties to even.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type HalfDtype, halfFormats, narrowed, widened } from "../../src/io/half.ts";

const formats: readonly HalfDtype[] = ["float16", "bfloat16"];
const allBits = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i);

describe.each(formats)("%s", (dtype) => {
  const values = widened(allBits, dtype);
  const { infinity, largest } = halfFormats[dtype];

  test("comes back bit for bit, whatever the bits; NaN as some NaN of its sign", () => {
    const { halves, overflow } = narrowed(values, dtype);
    const wrong = [...halves].filter((half, bits) => {
      if (Number.isNaN(values[bits])) return (half & 0x7fff) <= infinity || (half ^ bits) & 0x8000;
      return half !== bits;
    });
    expect(wrong).toEqual([]);
    expect(overflow).toBe(-1);
    expect(values[infinity - 1]).toBe(largest);
  });

  test("takes the nearest of its numbers, and of two equally near ones the even one", () => {
    // Positive numbers ascend with their bits; one step beyond the largest counts as infinity.
    const step = largest - values[infinity - 2];
    const at = (bits: number): number => (bits === infinity ? largest + step : values[bits]);
    fc.assert(
      fc.property(
        fc.oneof(
          fc.float({ noNaN: true, min: 0, max: Math.fround(largest), noDefaultInfinity: true }),
          // Halfway between two of its numbers, and a float32's step beside.
          fc.tuple(fc.nat(infinity - 1), fc.integer({ min: -1, max: 1 })).map(([bits, beside]) => {
            const middle = Float32Array.of((at(bits) + at(bits + 1)) / 2);
            const view = new Uint32Array(middle.buffer);
            view[0] = Math.max(0, view[0] + beside);
            return middle[0];
          }),
        ),
        fc.boolean(),
        (magnitude, isNegative) => {
          const given = Float32Array.of(isNegative ? -magnitude : magnitude);
          const half = narrowed(given, dtype).halves[0];
          expect(half >>> 15).toBe(isNegative ? 1 : 0);
          const bits = half & 0x7fff;
          // In float64 these differences are exact.
          const error = Math.abs(at(bits) - magnitude);
          for (const other of [bits - 1, bits + 1]) {
            if (other < 0 || other > infinity) continue;
            const its = Math.abs(at(other) - magnitude);
            expect(error < its || (error === its && bits % 2 === 0)).toBe(true);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });

  test("says which finite number became infinite first; infinities and NaN are none", () => {
    const tooLarge = dtype === "float16" ? 65520 : 3.4e38;
    const given = Float32Array.of(1, Number.POSITIVE_INFINITY, Number.NaN, largest, -tooLarge, tooLarge);
    const { halves, overflow } = narrowed(given, dtype);
    expect(overflow).toBe(4);
    expect([...halves].slice(3)).toEqual([infinity - 1, infinity | 0x8000, infinity]);
  });
});
