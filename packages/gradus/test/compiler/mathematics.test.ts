// The float32 functions of the cpu device against float64, over the whole float32 range: some 200,000 numbers of every
// exponent and sign, subnormals included, and every number near the places where a function changes its way of
// computing. Errors are in units in the last place (ulp) of the true value. Both ways that a kernel computes in are
// looked at: vectors, with fused multiply-add where the machine has it, and single numbers, which are never fused and
// so stand for machines without it.
//
// GRADUS_TEST_REPORT=1 prints what was measured.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import { createMath } from "../../src/backends/cpu/math.ts";
import { around, between, errorInUlp, integers, overAllExponents } from "../support/ulp.ts";

beforeAll(() => gd.init({ device: "cpu" }));

const { erf } = createMath();

interface Claim {
  readonly apply: (x: gd.Tensor) => gd.Tensor;
  readonly exact: (x: number) => number;
  /** The largest error that is allowed, in ulp. A correctly rounded result has at most 0.5. */
  readonly bound: number;
  /** Where its computation changes: every float32 number near it is tried, and near its negative. */
  readonly places: readonly number[];
  /** More numbers to try. */
  readonly extra?: readonly number[];
  /** Beyond this size nothing is claimed. */
  readonly limit?: number;
}

const multiples = (of: number, counts: readonly number[]): number[] => counts.map((count) => of * count);
const overflow = 128 * Math.LN2;
const sinusoid = {
  limit: 1e5,
  places: multiples(Math.PI / 4, [1, 2, 3, 4, 5, 6, 7, 8, 100, 1001, 40_000, 127_323]),
  // Where a result is next to 0 it shows what reducing the argument has lost.
  extra: around(
    Array.from({ length: Math.floor(1e5 / (Math.PI / 2)) }, (_, i) => (i + 1) * (Math.PI / 2)),
    1,
  ),
};

/** One row a function: what it is, and how far off it may be. */
const claims: { readonly [name: string]: Claim } = {
  exp: {
    apply: (x) => x.exp(),
    exact: Math.exp,
    bound: 1,
    places: [overflow, 87.33654, 103.972, 104, ...multiples(Math.LN2, [0.5, 1, 1.5, 2])],
  },
  expm1: {
    apply: (x) => x.expm1(),
    exact: Math.expm1,
    bound: 1.5,
    places: [overflow, 88.7, 88.9, 40, 17.3287, ...multiples(Math.LN2, [0.5, 1, 1.5, 2])],
  },
  log: { apply: (x) => x.log(), exact: Math.log, bound: 1, places: [1, Math.SQRT1_2, Math.SQRT2, 2, 2 ** -126] },
  log1p: {
    apply: (x) => x.log1p(),
    exact: Math.log1p,
    bound: 1.5,
    places: [1, Math.SQRT2 - 1, 1 - Math.SQRT1_2, 2 ** -24, 2 ** 24, 0.5],
  },
  sin: { apply: (x) => x.sin(), exact: Math.sin, bound: 3, ...sinusoid },
  cos: { apply: (x) => x.cos(), exact: Math.cos, bound: 3, ...sinusoid },
  tanh: { apply: (x) => x.tanh(), exact: Math.tanh, bound: 1.5, places: [0.625, 9.0109, 44, 52] },
  sigmoid: {
    apply: (x) => x.sigmoid(),
    exact: (x) => 1 / (1 + Math.exp(-x)),
    bound: 2.5,
    places: [16.6355, 87.33654, overflow, 103.972, 104],
  },
  erf: { apply: (x) => x.erf(), exact: erf, bound: 2.5, places: [1, 2, 3.8325, 4] },
  sqrt: { apply: (x) => x.sqrt(), exact: Math.sqrt, bound: 0.501, places: [1, 2, 2 ** -126] },
  rsqrt: { apply: (x) => x.rsqrt(), exact: (x) => 1 / Math.sqrt(x), bound: 1.5, places: [1, 2, 2 ** -126] },
};

const powBound = 5;

const general = overAllExponents(400);
const limits = [0, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 2 ** -149, -(2 ** -149)];

function samplesFor({ places, extra = [], limit = Number.POSITIVE_INFINITY }: Claim): Float32Array {
  const both = [...places, 0, 1].flatMap((place) => [place, -place]);
  const numbers = [
    ...limits,
    ...general,
    ...extra,
    ...around(both, 300),
    ...between(-120, 120, 20_000),
    ...between(-2, 2, 20_000),
  ];
  if (limit < 2 ** 127) numbers.push(...between(-limit, limit, 40_000));
  const within = numbers.filter((x) => !Number.isFinite(x) || Math.abs(x) <= limit);
  while (within.length % 12 !== 0) within.push(1);
  return Float32Array.from(within);
}

type Apply = (...inputs: gd.Tensor[]) => gd.Tensor;

/** Both ways to compute: along a whole buffer, four at a time; and along rows of three, which no vector fits. */
const ways: { readonly [name: string]: (apply: Apply, inputs: readonly Float32Array[]) => Promise<gd.TypedArray> } = {
  "in vectors": (apply, inputs) => apply(...inputs.map((input) => gd.tensor(input))).data(),
  "one by one": (apply, inputs) => {
    // A fourth column is there and is cut off again, so that rows do not lie end to end.
    const rows = inputs.map((input) => {
      const padded = new Float32Array((input.length / 3) * 4);
      for (let i = 0; i < input.length; i++) padded[Math.floor(i / 3) * 4 + (i % 3)] = input[i];
      return gd.tensor(padded).reshape(-1, 4).narrow(1, 0, 3);
    });
    return apply(...rows).data();
  },
};

interface Worst {
  error: number;
  at: readonly number[];
  found: number;
  exact: number;
}

function worstOf(inputs: readonly Float32Array[], found: gd.TypedArray, exact: (...x: number[]) => number): Worst {
  const worst: Worst = { error: 0, at: [], found: 0, exact: 0 };
  for (let i = 0; i < found.length; i++) {
    const at = inputs.map((input) => input[i]);
    const value = exact(...at);
    const error = errorInUlp(found[i], value);
    if (error > worst.error) Object.assign(worst, { error, at, found: found[i], exact: value });
  }
  return worst;
}

function judge(name: string, worst: Worst, bound: number): void {
  const told = `${name}(${worst.at.join(", ")}) is ${worst.found} instead of ${worst.exact}, ${worst.error.toFixed(3)} ulp off`;
  if (process.env.GRADUS_TEST_REPORT) console.log(told);
  if (worst.error > bound) expect.fail(`${told}; ${bound} are allowed`);
}

const [infinity, nan] = [Number.POSITIVE_INFINITY, Number.NaN];

/** What IEEE 754 and PyTorch say of arguments at the edge: argument, result. */
const specialValues: { readonly [name: string]: readonly (readonly [number, number])[] } = {
  exp: [
    [0, 1],
    [-0, 1],
    [infinity, infinity],
    [-infinity, 0],
    [89, infinity],
    [-104, 0],
    [-103, 2 ** -149],
  ],
  expm1: [
    [0, 0],
    [-0, -0],
    [infinity, infinity],
    [-infinity, -1],
    [89, infinity],
    [-104, -1],
    [2 ** -149, 2 ** -149],
  ],
  log: [
    [0, -infinity],
    [-0, -infinity],
    [1, 0],
    [infinity, infinity],
    [-infinity, nan],
    [-1, nan],
    [-(2 ** -149), nan],
  ],
  log1p: [
    [0, 0],
    [-0, -0],
    [-1, -infinity],
    [infinity, infinity],
    [-infinity, nan],
    [-1.5, nan],
    [-(2 ** -149), -(2 ** -149)],
  ],
  sin: [
    [0, 0],
    [-0, -0],
    [infinity, nan],
    [-infinity, nan],
    [2 ** -149, 2 ** -149],
  ],
  cos: [
    [0, 1],
    [-0, 1],
    [infinity, nan],
    [-infinity, nan],
    [2 ** -149, 1],
  ],
  tanh: [
    [0, 0],
    [-0, -0],
    [infinity, 1],
    [-infinity, -1],
    [-(2 ** -149), -(2 ** -149)],
    [10, 1],
  ],
  sigmoid: [
    [0, 0.5],
    [-0, 0.5],
    [infinity, 1],
    [-infinity, 0],
    [-104, 0],
    [104, 1],
  ],
  erf: [
    [0, 0],
    [-0, -0],
    [infinity, 1],
    [-infinity, -1],
    [4, 1],
    [-4, -1],
  ],
  sqrt: [
    [0, 0],
    [-0, -0],
    [infinity, infinity],
    [-infinity, nan],
    [-1, nan],
    [2 ** -148, 2 ** -74],
  ],
  rsqrt: [
    [0, infinity],
    [-0, -infinity],
    [infinity, 0],
    [-infinity, nan],
    [-1, nan],
    [2 ** -148, 2 ** 74],
  ],
};

/** x^y as C and PyTorch have it; JavaScript leaves powers of 1 and -1 undefined where the exponent is not finite. */
function powerOf(x: number, y: number): number {
  if (x === 1 || (x === -1 && Math.abs(y) === infinity)) return 1;
  return x ** y;
}

/** Within the bound: a root of 3 need not be the nearest number. */
const near = (found: number, expected: number): boolean =>
  Number.isFinite(expected) && expected !== 0 && errorInUlp(found, expected) <= powBound;

const shown = (value: number): string => (Object.is(value, -0) ? "-0" : String(value));

function expectExactly(found: gd.TypedArray, expected: readonly number[], told: (i: number) => string): void {
  const wrong = expected.flatMap((value, i) =>
    Object.is(found[i], value) ? [] : [`${told(i)} is ${shown(found[i])}, not ${shown(value)}`],
  );
  expect(wrong).toEqual([]);
}

describe.each(Object.keys(ways))("%s, over the whole float32 range", (way) => {
  test.each(Object.entries(claims))("%s is within its bound of the true value", async (name, claim) => {
    const samples = samplesFor(claim);
    const found = await ways[way](claim.apply, [samples]);
    judge(name, worstOf([samples], found, claim.exact), claim.bound);
  });

  test.each(Object.keys(specialValues))("%s has its limits, its zeros of either sign, and NaN", async (name) => {
    const cases = [...specialValues[name], [nan, nan] as const];
    while (cases.length % 12 !== 0) cases.push(cases[0]);
    const found = await ways[way](claims[name].apply, [Float32Array.from(cases, ([x]) => x)]);
    const expected = cases.map(([, result]) => result);
    expectExactly(found, expected, (i) => `${name}(${shown(cases[i][0])})`);
  });

  test("pow of zeros, ones, infinities, NaN and odd and even powers is what C says", async () => {
    const numbers = [
      0,
      -0,
      1,
      -1,
      2,
      -2,
      3,
      -3,
      0.5,
      -0.5,
      infinity,
      -infinity,
      nan,
      2 ** 24,
      -(2 ** 24) - 2,
      2 ** -149,
    ];
    const pairs = numbers.flatMap((x) => numbers.map((y) => [x, y] as const));
    while (pairs.length % 12 !== 0) pairs.push([2, 2]);
    const inputs = [Float32Array.from(pairs, ([x]) => x), Float32Array.from(pairs, ([, y]) => y)];
    const found = await ways[way]((a, b) => a.pow(b), inputs);
    const expected = pairs.map(([x, y]) => Math.fround(powerOf(x, y)));
    const known = pairs.map(([x, y], i) => (near(found[i], expected[i]) ? found[i] : Math.fround(powerOf(x, y))));
    expectExactly(found, known, (i) => pairs[i].map(shown).join(" ** "));
  });

  test("pow is within its bound of the true value", async () => {
    const [x, y] = powSamples();
    const found = await ways[way]((a, b) => a.pow(b), [x, y]);
    judge(
      "pow",
      worstOf([x, y], found, (a, b) => a ** b),
      powBound,
    );
  });
});

/** Bases of all sizes with exponents that keep the result in range or take it just beyond, and bases next to 1. */
function powSamples(): [Float32Array, Float32Array] {
  const random = integers(4711);
  const unit = (): number => (random() >>> 0) / 2 ** 32;
  const pairs: [number, number][] = [];
  for (const base of overAllExponents(100)) {
    const reach = 155 / Math.abs(Math.log2(Math.abs(base)));
    pairs.push([Math.abs(base), (2 * unit() - 1) * Math.min(reach, 1e30)]);
    pairs.push([base, Math.round((2 * unit() - 1) * Math.min(reach, 40))]);
  }
  for (let i = 0; i < 60_000; i++) {
    const near = Math.fround(1 + (2 * unit() - 1) * 2 ** -(1 + 22 * unit()));
    pairs.push([near, (2 * unit() - 1) * Math.min(155 / Math.abs(Math.log2(near)), 1e30)]);
    pairs.push([Math.exp(4 * unit() - 2), 40 * unit() - 20]);
  }
  while (pairs.length % 12 !== 0) pairs.push([2, 2]);
  return [Float32Array.from(pairs, ([a]) => a), Float32Array.from(pairs, ([, b]) => b)];
}
