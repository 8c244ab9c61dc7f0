import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { gigabytes, gigaflops, median, minimum } from "../src/statistics.ts";

describe("statistics of times", () => {
  test("the median is the middle value, or between the two middle ones", () => {
    expect(median([9, 1, 4])).toBe(4);
    expect(median([9, 1, 4, 6])).toBe(5);
    expect(median([3.5])).toBe(3.5);
  });

  test("the median does not mind one step that something disturbed", () => {
    expect(median([2, 2.1, 900, 2.2, 1.9])).toBe(2.1);
  });

  test("half of the values are at most the median and half at least", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1e4, noNaN: true }), { minLength: 1 }), (values) => {
        const middle = median(values);
        expect(values.filter((value) => value <= middle).length).toBeGreaterThanOrEqual(values.length / 2);
        expect(values.filter((value) => value >= middle).length).toBeGreaterThanOrEqual(values.length / 2);
      }),
    );
  });

  test("the list is left as it was", () => {
    const times = Object.freeze([3, 1, 2]);
    expect([median(times), minimum(times)]).toEqual([2, 1]);
  });

  test("nothing measured is not a number", () => {
    expect(median([])).toBeNaN();
    expect(minimum([])).toBeNaN();
  });

  test("two billion operations in ten milliseconds are 200 GFLOP/s", () => {
    expect(gigaflops(2e9, 10)).toBeCloseTo(200, 10);
  });

  test("a million bytes in half a millisecond are 2 GB/s", () => {
    expect(gigabytes(1e6, 0.5)).toBeCloseTo(2, 10);
  });
});
