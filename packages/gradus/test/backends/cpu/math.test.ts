import { describe, expect, it } from "vitest";
import { createMath } from "../../../src/backends/cpu/math.ts";

/** erf of a float64 from its power series in fixed-point arithmetic of 400 bits, rounded to float64. */
function exactErf(x: number): number {
  const bits = 400n;
  const one = 1n << bits;
  const scaled = (value: number) => BigInt(value * 2 ** 60) << (bits - 60n); // exact for the inputs below
  const pi = machin(one);
  const square = (scaled(x) * scaled(x)) >> bits;
  let power = scaled(x);
  let sum = 0n;
  for (let n = 0n; power !== 0n && power !== -1n; n++) {
    sum += power / (2n * n + 1n);
    power = -((power * square) >> bits) / (n + 1n);
  }
  return Number((2n * sum * one) / squareRoot(pi * one)) / Number(one);
}

/** pi = 16 arctan(1/5) - 4 arctan(1/239). */
function machin(one: bigint): bigint {
  const arctan = (inverse: bigint) => {
    let power = one / inverse;
    let sum = 0n;
    for (let n = 1n; power !== 0n; n += 2n) {
      sum += (n % 4n === 1n ? 1n : -1n) * (power / n);
      power /= inverse * inverse;
    }
    return sum;
  };
  return 16n * arctan(5n) - 4n * arctan(239n);
}

function squareRoot(value: bigint): bigint {
  let root = 1n << BigInt((value.toString(2).length / 2 + 1) | 0);
  for (let next = (root + value / root) / 2n; next < root; next = (root + value / root) / 2n) root = next;
  return root;
}

const ulp = (x: number) => 2 ** (Math.floor(Math.log2(Math.abs(x))) - 52);

describe("erf", () => {
  const { erf } = createMath();

  it("is within 3 ulp of its power series", () => {
    let worst = 0;
    for (let i = 1; i < 600; i++) {
      const x = (i % 2 === 0 ? 1 : -1) * (i / 100 + i * 2 ** -30);
      const exact = exactErf(x);
      worst = Math.max(worst, Math.abs(erf(x) - exact) / ulp(exact));
    }
    expect(worst).toBeLessThanOrEqual(3);
  });

  it("has its limits, its zero of either sign, and NaN", () => {
    expect([erf(Number.POSITIVE_INFINITY), erf(Number.NEGATIVE_INFINITY), erf(40), erf(-6)]).toEqual([1, -1, 1, -1]);
    expect([erf(0), erf(-0), erf(Number.NaN)]).toEqual([0, -0, Number.NaN]);
    expect(erf(1e-300)).toBeCloseTo(1.1283791670955126e-300, 310);
    expect(erf(5e-324)).toBe(5e-324);
  });
});

it("the functions of Math that take one or two numbers are there, as JavaScript has them", () => {
  const { erf: _, ...functions } = createMath();
  const names = Object.getOwnPropertyNames(Math) as Exclude<keyof Math, symbol>[];
  const expected = names.filter((name) => typeof Math[name] === "function" && [1, 2].includes(Math[name].length));
  const added = ["f16round", "sumPrecise"]; // in engines younger than Node 20
  expect(Object.keys(functions).sort()).toEqual(expected.filter((name) => !added.includes(name)).sort());
  expect(functions.pow(2, 0.5)).toBe(Math.SQRT2);
});

it("the functions work when rebuilt from their text, as the workers rebuild them", () => {
  const rebuilt = new Function(`return (${createMath})()`)() as ReturnType<typeof createMath>;
  expect(rebuilt.erf(0.5)).toBe(createMath().erf(0.5));
});
