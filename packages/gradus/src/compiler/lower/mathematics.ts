// Functions as arithmetic. For float32 they are polynomials of vector operations, after range reduction (Cody and Waite,
// "Software Manual for the Elementary Functions", 1980; coefficients by minimax fits); for float64 the platform's
// mathematics library is called. Special values follow IEEE 754.

import type { Builder } from "../builder.ts";
import type { Expression, Kind, LibraryFunction } from "../ir.ts";

/** Small helpers over a builder that read like formulas. */
export class Formula {
  constructor(
    readonly build: Builder,
    readonly kind: Kind,
  ) {}
  c = (value: number): Expression => this.build.constant(value, this.kind);
  i = (value: number): Expression => this.build.constant(value, "i32");
  add = (a: Expression, b: Expression): Expression => this.build.binary("add", a, b);
  sub = (a: Expression, b: Expression): Expression => this.build.binary("sub", a, b);
  mul = (a: Expression, b: Expression): Expression => this.build.binary("mul", a, b);
  div = (a: Expression, b: Expression): Expression => this.build.binary("div", a, b);
  fma = (a: Expression, b: Expression, c: Expression): Expression => this.build.fma(a, b, c);
  /** The size of one float32 (not negative) with the sign of another. */
  withSignOf = (size: Expression, sign: Expression): Expression =>
    this.float(this.build.binary("or", this.bits(size), this.build.binary("and", this.bits(sign), this.i(-(2 ** 31)))));
  neg = (a: Expression): Expression => this.build.unary("neg", a);
  /** Limited from below or above; a NaN stays. */
  atLeast = (a: Expression, limit: number): Expression => this.build.binary("atLeast", a, this.c(limit));
  atMost = (a: Expression, limit: number): Expression => this.build.binary("atMost", a, this.c(limit));
  abs = (a: Expression): Expression => this.build.unary("abs", a);
  lt = (a: Expression, b: Expression): Expression => this.build.compare("lt", a, b);
  le = (a: Expression, b: Expression): Expression => this.build.compare("le", a, b);
  eq = (a: Expression, b: Expression): Expression => this.build.compare("eq", a, b);
  select = (c: Expression, a: Expression, b: Expression): Expression => this.build.select(c, a, b);
  bits = (a: Expression): Expression => this.build.bitcast(a, "i32");
  float = (a: Expression): Expression => this.build.bitcast(a, "f32");
  /** Horner's rule, the highest coefficient first. */
  polynomial = (x: Expression, coefficients: readonly number[]): Expression =>
    coefficients.slice(1).reduce((sum, value) => this.fma(sum, x, this.c(value)), this.c(coefficients[0]));
}

// ln 2 in two parts: the first has few bits, so that its product with an exponent is exact.
const ln2High = 0.693145751953125;
const ln2Low = 1.4286068203094173e-6;

/** 2^n for integers n in [-126, 127], as float32 bits. */
function powerOfTwo(f: Formula, n: Expression): Expression {
  return f.float(f.build.binary("shiftLeft", f.add(n, f.i(127)), f.i(23)));
}

/** exp(r) - 1 - r over r^2 for |r| <= ln 2 / 2 (a minimax fit by Moshier's Cephes). */
const expTail = [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1];

/** The result of a function with f(0) = 0, with the sign of a zero kept. */
const keepingZero = (f: Formula, x: Expression, value: Expression): Expression => f.select(f.eq(x, f.c(0)), x, value);

/** Added to a small number it leaves the nearest integer in the last bits: 1.5 x 2^23. */
const roundingNumber = 12582912;

/** x = n ln 2 + r, for |n| below 2^22; gives n as i32 and r. */
function reduceByLn2(f: Formula, x: Expression): { n: Expression; r: Expression } {
  const shifted = f.fma(x, f.c(Math.LOG2E), f.c(roundingNumber));
  const whole = f.sub(shifted, f.c(roundingNumber));
  const r = f.fma(whole, f.c(-ln2Low), f.fma(whole, f.c(-ln2High), x));
  return { n: f.sub(f.bits(shifted), f.i(0x4b400000)), r };
}

/** e^r - 1 for |r| <= ln 2 / 2. */
const expm1OfReduced = (f: Formula, r: Expression): Expression => f.fma(f.mul(r, r), f.polynomial(r, expTail), r);

function exp(f: Formula, x: Expression): Expression {
  const { n, r } = reduceByLn2(f, f.atMost(f.atLeast(x, -104), 89));
  const mantissa = f.add(expm1OfReduced(f, r), f.c(1));
  // The scale is applied in two halves, so that results below 2^-126 come out subnormal and those above 2^128 infinite.
  const half = f.build.binary("shiftRight", n, f.i(1));
  return f.mul(f.mul(mantissa, powerOfTwo(f, half)), powerOfTwo(f, f.sub(n, half)));
}

/** exp for arguments up to 88; results below 2^-126, the smallest normal number, become 0. */
function expWithoutSubnormals(f: Formula, x: Expression): Expression {
  const smallest = -87.33654;
  const { n, r } = reduceByLn2(f, f.atLeast(x, smallest));
  const value = f.mul(f.add(expm1OfReduced(f, r), f.c(1)), powerOfTwo(f, n));
  return f.select(f.lt(x, f.c(smallest)), f.c(0), value);
}

function expm1(f: Formula, x: Expression): Expression {
  const { n, r } = reduceByLn2(f, f.atMost(f.atLeast(x, -40), 88.9));
  const half = f.build.binary("shiftRight", n, f.i(1));
  const [first, second] = [powerOfTwo(f, half), powerOfTwo(f, f.sub(n, half))];
  // 2^n (e^r - 1) + (2^n - 1), without forming 2^128.
  const ordinary = f.add(f.mul(f.mul(expm1OfReduced(f, r), first), second), f.sub(f.mul(first, second), f.c(1)));
  return f.select(f.lt(f.c(88), x), exp(f, x), keepingZero(f, x, ordinary));
}

/** log(1 + t) minus t - t^2 / 2, over t^3, for 1 + t in [sqrt(1/2), sqrt(2)] (Cephes logf). */
const logTail = [
  7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
  2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
];

/** log of t + 1 scaled by 2^e. */
function logOfReduced(f: Formula, t: Expression, e: Expression): Expression {
  const z = f.mul(t, t);
  let y = f.mul(f.mul(t, z), f.polynomial(t, logTail));
  y = f.fma(e, f.c(ln2Low), y);
  y = f.fma(f.c(-0.5), z, y);
  return f.fma(e, f.c(ln2High), f.add(t, y));
}

/** Splits a positive normal number into m in [sqrt(1/2), sqrt(2)) and e. */
function splitExponent(f: Formula, x: Expression): { m: Expression; e: Expression } {
  const offset = 0x3f3504f3; // the bits of sqrt(1/2)
  const shifted = f.sub(f.bits(x), f.i(offset));
  const e = f.build.binary("shiftRight", shifted, f.i(23));
  const mantissa = f.add(f.build.binary("and", shifted, f.i(0x7fffff)), f.i(offset));
  return { m: f.float(mantissa), e: f.build.convert(e, "f32") };
}

function log(f: Formula, x: Expression): Expression {
  const subnormal = f.lt(x, f.c(1.17549435e-38));
  const scaled = f.select(subnormal, f.mul(x, f.c(2 ** 24)), x);
  const { m, e } = splitExponent(f, scaled);
  const exponent = f.select(subnormal, f.sub(e, f.c(24)), e);
  const value = logOfReduced(f, f.sub(m, f.c(1)), exponent);
  const ofZero = f.select(f.eq(x, f.c(0)), f.c(Number.NEGATIVE_INFINITY), f.c(Number.NaN));
  const positive = f.lt(f.c(0), x);
  const finite = f.lt(x, f.c(Number.POSITIVE_INFINITY));
  return f.select(positive, f.select(finite, value, x), f.select(f.eq(x, x), ofZero, x));
}

function log1p(f: Formula, x: Expression): Expression {
  // log(1 + x) of the rounded sum, corrected by what the rounding lost (Kahan).
  const u = f.add(f.c(1), x);
  const lost = f.sub(x, f.sub(u, f.c(1)));
  const near = f.eq(u, f.c(1));
  const corrected = f.add(log(f, u), f.div(lost, u));
  const infinite = f.eq(u, f.c(Number.POSITIVE_INFINITY));
  const value = f.select(infinite, u, f.select(f.eq(u, f.c(0)), f.c(Number.NEGATIVE_INFINITY), corrected));
  return f.select(near, x, value);
}

/** tanh(x)/x - 1 over x^2 for |x| < 0.625 (Cephes tanhf). */
const tanhTail = [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1];

function tanh(f: Formula, x: Expression): Expression {
  const size = f.abs(x);
  const z = f.mul(size, size);
  const small = f.fma(f.mul(f.polynomial(z, tanhTail), z), size, size);
  // Beyond 10 tanh is 1 in float32.
  const e = expWithoutSubnormals(f, f.atMost(f.add(size, size), 20));
  const large = f.sub(f.c(1), f.div(f.c(2), f.add(e, f.c(1))));
  return f.withSignOf(f.select(f.lt(size, f.c(0.625)), small, large), x);
}

function sigmoid(f: Formula, x: Expression): Expression {
  // With e = exp(-|x|) nothing overflows, and neither tail loses digits.
  const e = expWithoutSubnormals(f, f.neg(f.abs(x)));
  return f.div(f.select(f.le(f.c(0), x), f.c(1), e), f.add(f.c(1), e));
}

/** erf(x)/x for |x| < 1 in x^2 (Taylor with the last coefficients fitted, error below 1 ulp). */
const erfSmall = [
  7.853861353153693e-5, -8.010193625184903e-4, 5.188327685732524e-3, -2.685381193529856e-2, 1.128358514861418e-1,
  -3.7612625824233e-1, 1.12837916572671,
];
/** exp(x^2) erfc(x) x in 1/x^2 for 1 < x < 2 and for 2 < x (Cephes erfcf). */
const erfcMiddle = [
  2.326819970068386e-2, -1.387039388740657e-1, 3.687424674597105e-1, -5.824733027278666e-1, 6.210004621745983e-1,
  -4.944515323274145e-1, 3.404879937665872e-1, -2.741127028184656e-1, 5.638259427386472e-1,
];
const erfcLarge = [
  -1.047766399936249e1, 1.297719955372516e1, -7.495518717768503, 2.921019019210786, -1.0152652792027,
  4.218463358204948e-1, -2.820767439740514e-1, 5.641895067754075e-1,
];

function erf(f: Formula, x: Expression): Expression {
  const size = f.abs(x);
  const small = f.mul(x, f.polynomial(f.mul(x, x), erfSmall));
  // Beyond 4 erf is 1 in float32; the limit keeps 1/x and exp tame.
  const bounded = f.atLeast(f.atMost(size, 4), 1);
  const inverse = f.div(f.c(1), bounded);
  const q = f.mul(inverse, inverse);
  const p = f.select(f.lt(bounded, f.c(2)), f.polynomial(q, erfcMiddle), f.polynomial(q, erfcLarge));
  const tail = f.mul(f.mul(expWithoutSubnormals(f, f.neg(f.mul(bounded, bounded))), inverse), p);
  return f.select(f.lt(size, f.c(1)), small, f.withSignOf(f.sub(f.c(1), tail), x));
}

// pi/2 in parts of few bits, so that their products with a quadrant are exact up to arguments of 100,000.
const halfPiParts = [
  1.5703125, 4.825592041015625e-4, 1.2665987014770508e-6, 9.89530235528946e-10, 2.5579538487363607e-12,
  5.390302953474238e-15,
];
const sineTail = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1];
const cosineTail = [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2];

/** sin(x + quadrant pi/2). Exact to about 2 ulp up to |x| of 10^5, beyond which float32 arguments are coarse themselves. */
function sinusoid(f: Formula, x: Expression, quadrants: number): Expression {
  const n = f.build.unary("nearest", f.mul(x, f.c(2 / Math.PI)));
  const r = halfPiParts.reduce((rest, part) => f.fma(n, f.c(-part), rest), x);
  const quadrant = f.add(f.build.convert(n, "i32"), f.i(quadrants));
  const z = f.mul(r, r);
  const sine = f.fma(f.mul(f.polynomial(z, sineTail), z), r, r);
  const cosine = f.fma(f.mul(z, z), f.polynomial(z, cosineTail), f.fma(z, f.c(-0.5), f.c(1)));
  const odd = f.eq(f.build.binary("and", quadrant, f.i(1)), f.i(1));
  const value = f.select(odd, cosine, sine);
  const negative = f.eq(f.build.binary("and", quadrant, f.i(2)), f.i(2));
  const signed = f.select(negative, f.neg(value), value);
  return f.select(f.lt(f.abs(x), f.c(Number.POSITIVE_INFINITY)), signed, f.c(Number.NaN));
}

function pow(f: Formula, x: Expression, y: Expression): Expression {
  // |x|^y = 2^(y log2 |x|), with the logarithm in two floats so that its error does not grow with y.
  const size = f.abs(x);
  const subnormal = f.lt(size, f.c(1.17549435e-38));
  const scaled = f.select(subnormal, f.mul(size, f.c(2 ** 24)), size);
  const { m, e } = splitExponent(f, scaled);
  const exponent = f.select(subnormal, f.sub(e, f.c(24)), e);
  // log m = 2 artanh(s) with s = (m - 1) / (m + 1), s kept in two parts.
  const numerator = f.sub(m, f.c(1));
  const denominator = f.add(m, f.c(1));
  const s = f.div(numerator, denominator);
  const denominatorLow = f.sub(m, f.sub(denominator, f.c(1)));
  const product = splitProduct(f, s, denominator);
  const remainder = f.sub(f.sub(f.sub(numerator, product.high), product.low), f.mul(s, denominatorLow));
  const sLow = f.div(remainder, denominator);
  const z = f.mul(s, s);
  const tail = f.mul(f.mul(s, z), f.polynomial(z, [2 / 11, 2 / 9, 2 / 7, 2 / 5, 2 / 3]));
  // log2 m = (2 s + tail) log2 e, as high + low.
  const two = f.add(s, s);
  const main = splitProduct(f, two, f.c(Math.fround(Math.LOG2E)));
  const log2eLow = Math.LOG2E - Math.fround(Math.LOG2E);
  const low1 = f.fma(two, f.c(log2eLow), f.mul(f.add(f.add(sLow, sLow), tail), f.c(Math.LOG2E)));
  const low = f.add(main.low, low1);
  const high = f.add(exponent, main.high);
  const carried = f.add(f.sub(f.sub(exponent, high), f.neg(main.high)), low);
  // y (high + carried) = n + r.
  const scaledHigh = splitProduct(f, y, high);
  const rest = f.fma(y, carried, scaledHigh.low);
  const total = f.add(scaledHigh.high, rest);
  const limited = f.atMost(f.atLeast(total, -160), 160);
  const n = f.build.unary("nearest", limited);
  const within = f.lt(f.abs(total), f.c(150));
  const fraction = f.select(within, f.add(f.sub(scaledHigh.high, n), rest), f.c(0));
  const r = f.mul(fraction, f.c(Math.LN2));
  const mantissa = f.add(f.fma(f.mul(r, r), f.polynomial(r, expTail), r), f.c(1));
  const whole = f.build.convert(n, "i32");
  const half = f.build.binary("shiftRight", whole, f.i(1));
  const power = f.mul(f.mul(mantissa, powerOfTwo(f, half)), powerOfTwo(f, f.sub(whole, half)));
  return powSpecialValues(f, x, y, size, power);
}

/** a b as a rounded product and what the rounding lost: exact by splitting each factor (Veltkamp and Dekker). */
function splitProduct(f: Formula, a: Expression, b: Expression): { high: Expression; low: Expression } {
  const mask = f.i(0xfffff000 | 0);
  const upper = (v: Expression): Expression => f.float(f.build.binary("and", f.bits(f.add(v, f.c(0))), mask));
  const high = f.mul(a, b);
  const [a1, b1] = [upper(a), upper(b)];
  const [a2, b2] = [f.sub(a, a1), f.sub(b, b1)];
  const low = f.add(f.sub(f.mul(a1, b1), high), f.add(f.add(f.mul(a1, b2), f.mul(a2, b1)), f.mul(a2, b2)));
  return { high, low };
}

function powSpecialValues(f: Formula, x: Expression, y: Expression, size: Expression, power: Expression): Expression {
  const infinity = f.c(Number.POSITIVE_INFINITY);
  const [zero, one] = [f.c(0), f.c(1)];
  const integer = f.eq(f.build.unary("trunc", y), y);
  const halfY = f.mul(y, f.c(0.5));
  const odd = f.build.binary("and", integer, f.build.compare("ne", f.build.unary("trunc", halfY), halfY));
  const signed = (value: Expression): Expression => {
    const negativeBase = f.lt(f.bits(x), f.i(0));
    return f.select(f.build.binary("and", negativeBase, odd), f.neg(value), value);
  };
  const growing = f.lt(zero, y);
  const ofZero = signed(f.select(growing, zero, infinity));
  const ofInfinity = signed(f.select(growing, infinity, zero));
  const beyondOne = f.lt(one, size);
  const toInfinity = f.select(
    f.eq(size, one),
    one,
    f.select(
      f.build.compare("eq", f.build.select(growing, one, zero), f.build.select(beyondOne, one, zero)),
      infinity,
      zero,
    ),
  );
  let result = signed(power);
  const finiteNegative = f.build.binary("and", f.lt(x, zero), f.lt(size, infinity));
  result = f.select(f.build.binary("and", finiteNegative, f.build.unary("not", integer)), f.c(Number.NaN), result);
  result = f.select(f.eq(size, zero), ofZero, result);
  result = f.select(f.eq(size, infinity), ofInfinity, result);
  result = f.select(f.eq(f.abs(y), infinity), toInfinity, result);
  const nan = f.build.unary("not", f.build.binary("and", f.eq(x, x), f.eq(y, y)));
  result = f.select(nan, f.add(x, y), result);
  return f.select(f.build.binary("or", f.eq(y, zero), f.eq(x, one)), one, result);
}

/** Transcendental functions by name. */
export type Transcendental = "exp" | "expm1" | "log" | "log1p" | "sin" | "cos" | "tanh" | "sigmoid" | "erf";

const polynomials: { readonly [F in Transcendental]: (f: Formula, x: Expression) => Expression } = {
  exp,
  expm1,
  log,
  log1p,
  tanh,
  sigmoid,
  erf,
  sin: (f, x) => keepingZero(f, x, sinusoid(f, x, 0)),
  cos: (f, x) => sinusoid(f, x, 1),
};

export function transcendental(build: Builder, fn: Transcendental, x: Expression): Expression {
  if (x.kind === "f32") return polynomials[fn](new Formula(build, "f32"), x);
  if (fn !== "sigmoid") return build.call(fn satisfies LibraryFunction, [x]);
  const f = new Formula(build, "f64");
  const e = build.call("exp", [f.neg(f.abs(x))]);
  const result = f.div(f.select(f.le(f.c(0), x), f.c(1), e), f.add(f.c(1), e));
  return f.select(f.eq(x, x), result, x);
}

export function power(build: Builder, x: Expression, y: Expression): Expression {
  return x.kind === "f32" ? pow(new Formula(build, "f32"), x, y) : build.call("pow", [x, y]);
}
