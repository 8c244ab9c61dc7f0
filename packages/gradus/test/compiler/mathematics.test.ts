// The float32 functions of the cpu device against float64, over the whole float32 range: some 250,000 numbers of every
// exponent and sign, subnormals included, and every number near the places where a function changes its way of
// computing. Errors are in units in the last place (ulp) of the true value. All ways that a kernel computes in are looked
// at: vectors with fused multiply-add, vectors without it as some browsers have them, and single numbers, as WebAssembly
// and as native code.
//
// GRADUS_TEST_REPORT=1 with --silent=false prints what was measured.

import * as gd from "gradus";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { createMath } from "../../src/backends/cpu/math.ts";
import { hasNative } from "../support/native.ts";
import { around, between, errorInUlp, integers, overAllExponents } from "../support/ulp.ts";

const { fused } = vi.hoisted(() => ({ fused: { wanted: true } }));

vi.mock("../../src/backends/cpu/wasm/features.ts", async (original) => {
  const features = await original<typeof import("../../src/backends/cpu/wasm/features.ts")>();
  const detectFeatures = async () => {
    const found = await features.detectFeatures();
    return { ...found, relaxedSimd: found.relaxedSimd && fused.wanted };
  };
  return { ...features, detectFeatures };
});

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
  /** Whether results below the smallest normal number, 2^-126, may be 0. */
  readonly flushes?: boolean;
  /** Beyond this size nothing is claimed. */
  readonly limit?: number;
}

const multiples = (of: number, counts: readonly number[]): number[] => counts.map((count) => of * count);
const overflow = 128 * Math.LN2;
/** Where the power of two in an exponential changes: next to 0, and next to the last one that is finite. */
const halfOctaves = multiples(Math.LN2 / 2, [1, 2, 3, 4, 251, 253, 255]);
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
    bound: 1.25,
    places: [overflow, 87.33654, 89, 103.972, 104, ...halfOctaves],
  },
  expm1: {
    apply: (x) => x.expm1(),
    exact: Math.expm1,
    bound: 1.5,
    places: [overflow, 88.7, 89, 20, 17.3287, ...halfOctaves],
  },
  log: { apply: (x) => x.log(), exact: Math.log, bound: 1, places: [1, Math.SQRT1_2, Math.SQRT2, 2, 2 ** -126] },
  log1p: {
    apply: (x) => x.log1p(),
    exact: Math.log1p,
    bound: 1.6,
    places: [1, Math.SQRT2 - 1, 1 - Math.SQRT1_2, 2 ** -24, 2 ** 24, 0.5],
  },
  sin: { apply: (x) => x.sin(), exact: Math.sin, bound: 2.75, ...sinusoid },
  cos: { apply: (x) => x.cos(), exact: Math.cos, bound: 2.75, ...sinusoid },
  tanh: {
    apply: (x) => x.tanh(),
    exact: Math.tanh,
    bound: 2.2,
    places: [9.0109, 10, ...halfOctaves.map((place) => place / 2)],
  },
  sigmoid: {
    apply: (x) => x.sigmoid(),
    exact: (x) => 1 / (1 + Math.exp(-x)),
    bound: 2.5,
    flushes: true,
    places: [16.6355, 80, 87.33654, overflow, 89, 103.972, 104, ...halfOctaves],
  },
  erf: { apply: (x) => x.erf(), exact: erf, bound: 2.5, places: [0.2657, 0.656, 1, 2, 3.8325, 3.95, 4] },
  sqrt: { apply: (x) => x.sqrt(), exact: Math.sqrt, bound: 0.501, places: [1, 2, 2 ** -126] },
  rsqrt: { apply: (x) => x.rsqrt(), exact: (x) => 1 / Math.sqrt(x), bound: 1.5, places: [1, 2, 2 ** -126] },
};

const powBound = 2.5;

const general = overAllExponents(400);
const limits = [0, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 2 ** -149, -(2 ** -149)];

function samplesFor({ places, extra = [], limit = Number.POSITIVE_INFINITY }: Claim): number[] {
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
  return numbers.filter((x) => !Number.isFinite(x) || Math.abs(x) <= limit);
}

/** Rows of three, which no vector fits: a fourth column is cut off again, so that they do not lie end to end. */
function rowsOfThree(numbers: Float32Array): gd.Tensor {
  const padded = new Float32Array((numbers.length / 3) * 4);
  numbers.forEach((number, i) => {
    padded[Math.floor(i / 3) * 4 + (i % 3)] = number;
  });
  return gd.tensor(padded).reshape(-1, 4).narrow(1, 0, 3);
}

interface Way {
  readonly codegen: "wasm" | "native";
  readonly fused: boolean;
  readonly arrange: (numbers: Float32Array) => gd.Tensor;
}

const vectors = (numbers: Float32Array): gd.Tensor => gd.tensor(numbers);

const ways: { readonly [name: string]: Way } = {
  "WebAssembly, in vectors": { codegen: "wasm", fused: true, arrange: vectors },
  "WebAssembly, in vectors without fused multiply-add": { codegen: "wasm", fused: false, arrange: vectors },
  "WebAssembly, one by one": { codegen: "wasm", fused: true, arrange: rowsOfThree },
  "native code, in vectors": { codegen: "native", fused: true, arrange: vectors },
  "native code, one by one": { codegen: "native", fused: true, arrange: rowsOfThree },
};

interface Worst {
  error: number;
  at: readonly number[];
  found: number;
  exact: number;
}

/** What is claimed of results: their true values, and whether those that are subnormal may be 0. */
interface Meaning {
  readonly exact: (...x: number[]) => number;
  readonly flushes?: boolean;
}

function worstOf(inputs: readonly Float32Array[], found: gd.TypedArray, { exact, flushes }: Meaning): Worst {
  const worst: Worst = { error: 0, at: [], found: 0, exact: 0 };
  for (let i = 0; i < found.length; i++) {
    const at = inputs.map((input) => input[i]);
    const value = exact(...at);
    if (flushes && found[i] === 0 && Math.abs(value) < 2 ** -126) continue;
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

/** What IEEE 754 and PyTorch say of arguments at the edge. 1e-45 is the smallest float32. */
const specialValues: { readonly [name: string]: string } = {
  exp: "0 1, -0 1, Infinity Infinity, -Infinity 0, 89 Infinity, -104 0, -103 1e-45",
  expm1: "0 0, -0 -0, Infinity Infinity, -Infinity -1, 89 Infinity, -104 -1, 1e-45 1e-45, -1e-45 -1e-45",
  log: "0 -Infinity, -0 -Infinity, 1 0, Infinity Infinity, -Infinity NaN, -1 NaN, -1e-45 NaN",
  log1p: "0 0, -0 -0, -1 -Infinity, Infinity Infinity, -Infinity NaN, -1.5 NaN, 1e-45 1e-45, -1e-45 -1e-45",
  sin: "0 0, -0 -0, Infinity NaN, -Infinity NaN, 1e-45 1e-45, -1e-45 -1e-45",
  cos: "0 1, -0 1, Infinity NaN, -Infinity NaN, 1e-45 1",
  tanh: "0 0, -0 -0, Infinity 1, -Infinity -1, 1e-45 1e-45, -1e-45 -1e-45, 10 1, -10 -1",
  sigmoid: "0 0.5, -0 0.5, Infinity 1, -Infinity 0, -104 0, 104 1",
  erf: "0 0, -0 -0, Infinity 1, -Infinity -1, 4 1, -4 -1",
  sqrt: "0 0, -0 -0, Infinity Infinity, -Infinity NaN, -1 NaN, -1e-45 NaN",
  rsqrt: "0 Infinity, -0 -Infinity, Infinity 0, -Infinity NaN, -1 NaN, -1e-45 NaN",
};
const powerCases = "0 -0 1 -1 2 -2 3 -3 0.5 -0.5 Infinity -Infinity NaN 16777216 -16777218 1e-45"
  .split(" ")
  .map(Number);

/** x^y as C and PyTorch have it; JavaScript leaves powers of 1 and -1 undefined where the exponent is not finite. */
function powerOf(x: number, y: number): number {
  if (x === 1 || (x === -1 && Math.abs(y) === Number.POSITIVE_INFINITY)) return 1;
  return x ** y;
}

/** Within the bound: a root of 3 need not be the nearest number. */
const isNear = (found: number, expected: number): boolean =>
  Number.isFinite(expected) && expected !== 0 && errorInUlp(found, expected) <= powBound;

const shown = (value: number): string => (Object.is(value, -0) ? "-0" : String(value));

function expectExactly(found: gd.TypedArray, expected: readonly number[], told: (i: number) => string): void {
  const wrong = expected.flatMap((value, i) =>
    Object.is(found[i], value) ? [] : [`${told(i)} is ${shown(found[i])}, not ${shown(value)}`],
  );
  expect(wrong).toEqual([]);
}

const possible = Object.entries(ways).filter(([, { codegen }]) => codegen === "wasm" || hasNative);

describe.each(possible)("%s", (_, { codegen, fused: wanted, arrange }) => {
  beforeAll(async () => {
    fused.wanted = wanted;
    await gd.init({ device: "cpu", codegen });
  });

  /** Fills up to whole vectors and whole rows. */
  const filled = (numbers: readonly number[]): Float32Array => {
    const length = Math.ceil(numbers.length / 12) * 12;
    return Float32Array.from({ length }, (_, i) => numbers[i % numbers.length]);
  };

  test.each(Object.entries(claims))("%s is within its bound of the true value", async (name, claim) => {
    const samples = filled(samplesFor(claim));
    const found = await claim.apply(arrange(samples)).data();
    judge(name, worstOf([samples], found, claim), claim.bound);
  });

  test.each(Object.keys(specialValues))("%s has its limits, its zeros of either sign, and NaN", async (name) => {
    const cases = [...specialValues[name].split(", "), "NaN NaN"].map((pair) => pair.split(" ").map(Number));
    const found = await claims[name].apply(arrange(filled(cases.map(([x]) => x)))).data();
    const expected = cases.map(([, result]) => Math.fround(result));
    expectExactly(found, expected, (i) => `${name}(${shown(cases[i][0])})`);
  });

  test("pow of zeros, ones, infinities, NaN and odd and even powers is what C says", async () => {
    const pairs = powerCases.flatMap((x) => powerCases.map((y) => [x, y] as const));
    const [x, y] = [0, 1].map((side) => arrange(filled(pairs.map((pair) => pair[side]))));
    const found = await x.pow(y).data();
    const expected = pairs.map(([a, b]) => Math.fround(powerOf(Math.fround(a), b)));
    const known = expected.map((value, i) => (isNear(found[i], value) ? found[i] : value));
    expectExactly(found, known, (i) => pairs[i].map(shown).join(" ** "));
  });

  test("pow is within its bound of the true value", async () => {
    const pairs = powSamples();
    const samples = [0, 1].map((side) => filled(pairs.map((pair) => pair[side])));
    const [x, y] = samples.map(arrange);
    judge("pow", worstOf(samples, await x.pow(y).data(), { exact: (a, b) => a ** b }), powBound);
  });
});

/**
 * Bases of all sizes with exponents that keep the result in range or take it just beyond, bases next to 1, and moderate
 * bases with results of extreme size, for which the logarithm has to be most accurate.
 */
function powSamples(): (readonly [number, number])[] {
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
    const moderate = Math.fround(0.5 + unit());
    pairs.push([moderate, (2 * unit() < 1 ? -1 : 1) * ((118 + 9 * unit()) / Math.log2(moderate))]);
  }
  return pairs;
}
