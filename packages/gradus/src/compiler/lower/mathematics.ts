// Functions as arithmetic. For float32 they are polynomials and quotients of vector operations after range reduction
// (Cody and Waite, "Software Manual for the Elementary Functions", 1980); for float64 the platform's mathematics
// library is called. Special values follow IEEE 754. The coefficients are minimax fits to the forms used here, with the
// errors that they leave, all relative.
//
// What makes them fast is few instructions: a processor works on several iterations of a loop at once, as many as it
// can hold. One division is cheaper than the terms of a polynomial that it saves. What is a case of its own (zero,
// infinity, a negative number) is brought in by arithmetic beside the main chain, not by a choice at its end. No
// formula needs the multiply-add to be fused: where a product must be exact, its factors are short enough.

import type { Builder } from "../builder.ts";
import type { Expression, Kind, LibraryFunction } from "../ir.ts";

/** The value of a number that is known at compile time. */
const constantOf = ({ node }: Expression): number | null => (node.op === "constant" ? node.values[0] : null);

const signBit = 0x80000000 | 0;
const exponentBits = 0xff800000 | 0; // with the sign
const bitsOfOne = 0x3f800000;

/** Small helpers over a builder that read like formulas. */
export class Formula {
  constructor(
    readonly build: Builder,
    readonly kind: Kind,
  ) {}
  c = (value: number): Expression => this.build.constant(value, this.kind);
  add = (a: Expression, b: Expression): Expression => this.build.binary("add", a, b);
  sub = (a: Expression, b: Expression): Expression => this.build.binary("sub", a, b);
  /** Known at compile time where both factors are, as is `eq`. */
  mul = (a: Expression, b: Expression): Expression => {
    const [x, y] = [constantOf(a), constantOf(b)];
    return x === null || y === null ? this.build.binary("mul", a, b) : this.c(x * y);
  };
  div = (a: Expression, b: Expression): Expression => this.build.binary("div", a, b);
  fma = (a: Expression, b: Expression, c: Expression): Expression => this.build.fma(a, b, c);
  neg = (a: Expression): Expression => this.build.unary("neg", a);
  abs = (a: Expression): Expression => this.build.unary("abs", a);
  sqrt = (a: Expression): Expression => this.build.unary("sqrt", a);
  trunc = (a: Expression): Expression => this.build.unary("trunc", a);
  /** Limited from below or above or both; a NaN stays. */
  atLeast = (a: Expression, limit: number): Expression => this.build.binary("atLeast", a, this.c(limit));
  atMost = (a: Expression, limit: number): Expression => this.build.binary("atMost", a, this.c(limit));
  within = (a: Expression, low: number, high: number): Expression => this.atMost(this.atLeast(a, low), high);
  /** Horner's rule, the highest coefficient first. */
  polynomial = (x: Expression, coefficients: readonly number[]): Expression =>
    coefficients.slice(1).reduce((sum, value) => this.fma(sum, x, this.c(value)), this.c(coefficients[0]));

  lt = (a: Expression, b: Expression): Expression => this.build.compare("lt", a, b);
  le = (a: Expression, b: Expression): Expression => this.build.compare("le", a, b);
  eq = (a: Expression, b: Expression): Expression => {
    const [x, y] = [constantOf(a), constantOf(b)];
    return x === null || y === null ? this.build.compare("eq", a, b) : this.build.constant(Number(x === y), "bool");
  };
  not = (a: Expression): Expression => this.build.unary("not", a);
  select = (c: Expression, a: Expression, b: Expression): Expression => this.build.select(c, a, b);

  // Integers, and float32 numbers as their bits.
  i = (value: number): Expression => this.build.constant(value, "i32");
  and = (a: Expression, b: Expression): Expression => this.build.binary("and", a, b);
  or = (a: Expression, b: Expression): Expression => this.build.binary("or", a, b);
  xor = (a: Expression, b: Expression): Expression => this.build.binary("xor", a, b);
  shiftLeft = (a: Expression, by: number): Expression => this.build.binary("shiftLeft", a, this.i(by));
  shiftRight = (a: Expression, by: number): Expression => this.build.binary("shiftRight", a, this.i(by));
  bits = (a: Expression): Expression => this.build.bitcast(a, "i32");
  float = (a: Expression): Expression => this.build.bitcast(a, "f32");
  /** A float32 of which some bits are kept. */
  keeping = (a: Expression, mask: number): Expression => this.float(this.and(this.bits(a), this.i(mask)));
  /** The size of a float32, and a size (or a number of the same sign) with the sign of another number. */
  sizeOf = (a: Expression): Expression => this.keeping(a, 0x7fffffff);
  withSignOf = (size: Expression, sign: Expression): Expression =>
    this.float(this.or(this.bits(size), this.and(this.bits(sign), this.i(signBit))));
}

// Exponentials ------------------------------------------------------------------------------------------------------

/** Added to a small number it leaves the nearest integer in the last bits: 1.5 x 2^23. */
const roundingNumber = 1.5 * 2 ** 23;

/** The integer n nearest to x times a factor, for |n| below 2^22: as float32, and n + `bias` in an i32's last bits. */
function nearest(f: Formula, x: Expression, factor: number, bias: number): { n: Expression; bits: Expression } {
  const rounding = f.c(roundingNumber + bias);
  const sum = f.fma(x, f.c(factor), rounding);
  return { n: f.sub(sum, rounding), bits: f.bits(sum) };
}

/** x - n period, of a period that is given in parts so short that their products with n are exact. */
const remainder = (f: Formula, x: Expression, n: Expression, period: readonly number[]): Expression =>
  period.reduce((rest, part) => f.fma(n, f.c(-part), rest), x);

// ln 2 in two parts: the first has 16 bits, so that its product with an exponent is exact.
const ln2 = [0.693145751953125, 1.4286068203094173e-6];
const halfLn2 = ln2.map((part) => part / 2);
const minusLn2 = ln2.map((part) => -part);

/** 2^n of an integer whose last bits are n + 127, for n in [-126, 127]; 0 and infinity for -127 and 128. */
const powerOfTwo = (f: Formula, biased: Expression): Expression => f.float(f.shiftLeft(biased, 23));

/**
 * 2^n as two factors, of an integer whose last bits are n + 254. What is multiplied by one and then the other comes out
 * subnormal below 2^-126 and infinite from 2^128 on, and loses digits only in the second product.
 */
function powersOfTwo(f: Formula, biased: Expression): readonly [Expression, Expression] {
  const half = f.shiftRight(biased, 1);
  return [powerOfTwo(f, half), powerOfTwo(f, f.sub(biased, half))];
}

/**
 * r / (e^(k r) - 1), with which e^(k r) = 1 + r / bernoulli(r). It is 1/k - r/2 + k r^2 / 12 - ..., the generating
 * function of the Bernoulli numbers, where r/2 is the only odd term. The power has an error of 5.3e-10 for |k r| up to
 * ln 2 / 2, and of 3.8e-8 up to 0.45.
 */
function bernoulli(f: Formula, r: Expression, k: number): Expression {
  const even = f.polynomial(f.mul(r, r), [-0.00138300506 * k ** 3, 0.08333309 * k]);
  return f.fma(r, f.fma(r, even, f.c(-0.5)), f.c(1 / k));
}

function exp(f: Formula, x: Expression): Expression {
  // x = n ln 2 + r; beyond the limits the result is 0 or infinite anyway.
  const bounded = f.within(x, -104, 89);
  const { n, bits } = nearest(f, bounded, Math.LOG2E, 254);
  const r = remainder(f, bounded, n, ln2);
  const [first, second] = powersOfTwo(f, bits);
  return f.mul(f.fma(f.div(r, bernoulli(f, r, 1)), first, first), second);
}

/** (e^r - 1 - r) / r^2 for |r| up to ln 2 / 2: with it e^r - 1 has a relative error of 1.4e-8. */
const expm1Curve = [0.0013900426, 0.008366112, 0.041666828, 0.16666548, 0.5];

function expm1(f: Formula, x: Expression): Expression {
  const bounded = f.within(x, -20, 89);
  const { n, bits } = nearest(f, bounded, Math.LOG2E, 254);
  const r = remainder(f, bounded, n, ln2);
  // 2^n (1 + r + r^2 curve) - 1, all divided by the second factor of 2^n until the end. For n = 0 the 1 cancels first.
  const [first, second] = powersOfTwo(f, bits);
  const one = f.float(f.sub(f.i(2 * bitsOfOne), f.bits(second)));
  const line = f.fma(r, first, f.sub(first, one));
  const sum = f.fma(f.mul(f.mul(r, r), first), f.polynomial(r, expm1Curve), line);
  return f.withSignOf(f.mul(sum, second), x);
}

function sigmoid(f: Formula, x: Expression): Expression {
  // -x = n ln 2 - r, so that e^-x = 2^n b / (b + r) and 1 / (1 + e^-x) = (b + r) / (b + r + 2^n b). Below -88.4, where
  // the result would be subnormal, n is 128, 2^n is infinite and the result 0.
  const bounded = f.within(x, -89, 80);
  const { n, bits } = nearest(f, bounded, -Math.LOG2E, 127);
  const r = remainder(f, bounded, n, minusLn2);
  const b = bernoulli(f, r, 1);
  const numerator = f.add(b, r);
  return f.div(numerator, f.fma(powerOfTwo(f, bits), b, numerator));
}

function tanh(f: Formula, x: Expression): Expression {
  // |x| = n ln 2 / 2 + r. From 10 on tanh is 1 in float32.
  const t = f.atMost(f.sizeOf(x), 10);
  const { n, bits } = nearest(f, t, 2 * Math.LOG2E, 127);
  const r = remainder(f, t, n, halfLn2);
  // With g = e^2t - 1, tanh t = g / (g + 2), which cannot exceed 1. For n = 0, b g = (2^n - 1) b + 2^n r is just r.
  const power = powerOfTwo(f, bits);
  const b = bernoulli(f, r, 2);
  const growth = f.fma(f.sub(power, f.c(1)), b, f.mul(power, r));
  return f.withSignOf(f.div(growth, f.fma(b, f.c(2), growth)), x);
}

/**
 * With v = -|x|, log2(1 - erf |x|) / 2 = v + v curve(v): in this form neither the rounding of the curve nor that of its
 * constant shows in a small result. erf has an error of 1.9e-8 for |x| up to 0.2 and of 5.2e-8 up to 3.95.
 */
const erfCurve = [
  -3.280837e-5, -2.9912527e-4, -9.6786615e-4, 6.577021e-5, 0.0138861185, 0.07415035, -0.4592232, -0.1860465,
];

function erf(f: Formula, x: Expression): Expression {
  // v = -|x|. Beyond 3.95 erf is 1 in float32.
  const v = f.atLeast(f.float(f.or(f.bits(x), f.i(signBit))), -3.95);
  const halfLog = f.fma(v, f.polynomial(v, erfCurve), v);
  // Twice that is n + 2 r. The bias holds the sign bit too: 2^n comes out negative.
  const { n, bits } = nearest(f, halfLog, 2, 127 + 256);
  const r = remainder(f, halfLog, n, [0.5]);
  const minusPower = powerOfTwo(f, bits);
  // 1 - 2^n - 2^n (4^r - 1), which is small where it should be.
  const value = f.fma(f.div(r, bernoulli(f, r, 2 * Math.LN2)), minusPower, f.add(minusPower, f.c(1)));
  return f.withSignOf(value, x);
}

// Logarithms --------------------------------------------------------------------------------------------------------

/** The bits of sqrt(1/2), where mantissas begin. */
const bitsOfRootHalf = 0x3f3504f3;

/** 2^23 e of a positive number m 2^e with m in [sqrt(1/2), sqrt(2)): what its bits have in excess of those of m. */
const exponentOf = (f: Formula, x: Expression): Expression =>
  f.and(f.sub(f.bits(x), f.i(bitsOfRootHalf)), f.i(exponentBits));

/**
 * A positive number, subnormal or not, as m 2^e; e comes times 2^23. Numbers below 2 are scaled by 2^64 first and the
 * others by 2^-64, two factors that differ in one bit; `scaled` is what comes of it. Of all other values, too, m is
 * within its bounds and e of moderate size.
 */
function split(f: Formula, x: Expression): { m: Expression; e: Expression; scaled: Expression } {
  const scale = f.xor(f.and(f.bits(x), f.i(0x40000000)), f.i(bitsOfOne + (64 << 23)));
  const scaled = f.mul(x, f.float(scale));
  const e = exponentOf(f, scaled);
  return { m: f.float(f.sub(f.bits(scaled), e)), e: f.sub(e, f.sub(scale, f.i(bitsOfOne))), scaled };
}

/** With z = s^2, 2 artanh(s) = 2 s - s z curve(z): the logarithm has an error of 8.1e-10. */
const artanhCurve = [-0.2987093, -0.3997758, -0.66666776];

/**
 * log(1 + t) + e ln 2 for 1 + t in [sqrt(1/2), sqrt(2)].
 * @param exponent e 2^23 as an integer
 * @param root the square root of the number, perhaps scaled; it lies between 2^(reach - 77) and 2^reach
 */
function logarithm(f: Formula, t: Expression, exponent: Expression, root: Expression, reach: number): Expression {
  // What is no positive number shows in the root: that of 0 makes `zero` -2 and e negative infinity, that of infinity
  // makes ln 2 infinite, and that of a negative number is NaN. Of all others `zero` is 0, and ln 2 swallows the root in
  // rounding.
  const zero = f.atMost(f.fma(root, f.c(2 ** (90 - reach)), f.c(-2)), 0);
  const e = f.fma(zero, f.c(2 ** 127), f.build.convert(exponent, "f32"));
  const ln2High = f.fma(root, f.c(2 ** (-49 - reach)), f.c(ln2[0] * 2 ** -23));
  const low = f.fma(e, f.c(ln2[1] * 2 ** -23), t);
  // With s = t / (2 + t), log(1 + t) = 2 artanh(s) = t - s (t + z curve(z)): most of it is t, which is exact.
  const minusS = f.div(t, f.sub(f.c(-2), t));
  const z = f.mul(minusS, minusS);
  return f.fma(e, ln2High, f.fma(minusS, f.fma(z, f.polynomial(z, artanhCurve), t), low));
}

function log(f: Formula, x: Expression): Expression {
  const { m, e, scaled } = split(f, x);
  return logarithm(f, f.sub(m, f.c(1)), e, f.sqrt(scaled), 33);
}

function log1p(f: Formula, x: Expression): Expression {
  // 1 + x, rounded, gives the exponent; t = x 2^-e + (2^-e - 1) loses nothing of x. The exponent of 0 is held at that
  // of 2^-25, which keeps t finite.
  const sum = f.add(x, f.c(1));
  const e = f.build.binary("max", exponentOf(f, sum), f.i(-25 << 23));
  const part = f.float(f.sub(f.bits(x), e));
  const four = f.float(f.sub(f.i(bitsOfOne + (2 << 23)), e));
  const t = f.add(part, f.fma(four, f.c(0.25), f.c(-1)));
  return f.withSignOf(logarithm(f, t, e, f.sqrt(sum), 64), x);
}

// Sine and cosine ---------------------------------------------------------------------------------------------------
//
// Exact to 2.7 ulp up to arguments of 100,000, beyond which float32 arguments are coarse themselves.

// Pi in parts of few bits, so that their products with n are exact up to arguments of 100,000, also for n that end in
// one half; with integers the parts can have one bit more. The third for halves is a multiple of 2^-22, which keeps
// what is left exact for one part longer.
const piForHalves = [
  3.140625, 9.6893310546875e-4, -1.1920928955078125e-6, -8.754432201385498e-8, 1.2187229003757238e-10,
  -3.3027991149306435e-13,
];
const piForIntegers = [
  3.140625, 9.670257568359375e-4, 6.277114152908325e-7, 1.2141754268668592e-10, 1.2446743939339977e-13,
];

/** (sin r - r) / r^3 in r^2 for |r| up to pi/2: the sine has an error of 6.3e-9. */
const sineStart = -0.1666666;
const sineCurve = [2.605777e-6, -1.9809665e-4, 0.008333068];

/** sin r, negated where the last bit of an integer is set. */
function sine(f: Formula, r: Expression, bits: Expression): Expression {
  const z = f.mul(r, r);
  // In this order it is +0 for r = 0 of either sign, which then keeps its sign.
  const curve = f.fma(f.mul(z, z), f.polynomial(z, sineCurve), f.mul(z, f.c(sineStart)));
  return f.float(f.xor(f.bits(f.fma(curve, r, r)), f.shiftLeft(bits, 31)));
}

function sin(f: Formula, x: Expression): Expression {
  // x = n pi + r.
  const { n, bits } = nearest(f, x, 1 / Math.PI, 0);
  return sine(f, remainder(f, x, n, piForIntegers), bits);
}

function cos(f: Formula, x: Expression): Expression {
  // x = (n + 1/2) pi + r, and cos x = -(-1)^n sin r.
  const n = f.build.unary("floor", f.mul(x, f.c(1 / Math.PI)));
  const bits = f.bits(f.add(n, f.c(roundingNumber + 1)));
  return sine(f, remainder(f, x, f.add(n, f.c(0.5)), piForHalves), bits);
}

// Powers ------------------------------------------------------------------------------------------------------------

/** The first 12 bits of a number: products of two such are exact. */
const upper = (f: Formula, x: Expression): Expression => f.keeping(x, 0xfffff000 | 0);

// log2 m = slope s + s^3 (1 + curve(s^2)) with s = (m - 1) / (m + 1); the sum in brackets has an error of 7.3e-9.
const slope = 2 / Math.LN2;
const slopeHigh = 2.884765625; // 12 bits
const log2Curve = [0.32819608, 0.41228604, 0.57707524, 0.9617967 - 1];

/**
 * log2 of a positive number as high + low, with 12 bits in high and an error of 2^-32 or so of the whole, so that a
 * large exponent does not make it visible.
 */
function log2(f: Formula, m: Expression, e: Expression): { high: Expression; low: Expression } {
  const one = f.c(1);
  const difference = f.sub(m, one);
  const sum = f.add(m, one);
  // -s in 12 bits, and what these leave of the quotient: m - 1 - s (m + 1), where m + 1 is in two parts.
  const minusS = f.div(f.sub(one, m), sum);
  const minusSHigh = upper(f, minusS);
  const sumHigh = upper(f, sum);
  const sumLow = f.sub(m, f.sub(sumHigh, one));
  const remaining = f.fma(minusSHigh, sumLow, f.fma(minusSHigh, sumHigh, difference));
  const z = f.mul(minusS, minusS);
  const minusCube = f.mul(minusS, z);
  // The three large terms are e, the product of the upper parts, and s^3: `high` is most of their sum, and what it
  // leaves is exact.
  const main = f.mul(minusSHigh, f.c(-slopeHigh));
  const high = upper(f, f.sub(f.add(e, main), minusCube));
  const left = f.sub(f.sub(main, f.sub(high, e)), minusCube);
  // The small terms: of the lower parts of the slope and the quotient; of the error of s within slope s^3 / 3, which
  // counts three times; and of the curve.
  const slopeOverSum = f.div(f.c(slope), sum);
  const error = f.fma(remaining, slopeOverSum, f.mul(f.sub(minusS, minusSHigh), f.c(slope)));
  let low = f.fma(remaining, slopeOverSum, f.mul(minusSHigh, f.c(slopeHigh - slope)));
  low = f.fma(z, error, low);
  const curve = f.polynomial(
    z,
    log2Curve.map((c) => -c),
  );
  low = f.fma(minusCube, curve, low);
  return { high, low: f.add(low, left) };
}

function pow(f: Formula, x: Expression, y: Expression): Expression {
  // What depends on y alone is known at compile time, or computed before the loop, where y is one number for all.
  const integer = f.eq(f.trunc(y), y);
  const half = f.mul(y, f.c(0.5));
  const odd = f.and(integer, f.not(f.eq(f.trunc(half), half)));
  // Exponents from 2^40 on do what infinite ones do.
  const bounded = f.within(y, -(2 ** 40), 2 ** 40);
  const yHigh = upper(f, bounded);
  // Under an exponent that is no integer a negative base stays negative, and its root is NaN.
  const base = f.float(f.and(f.bits(x), f.select(integer, f.i(0x7fffffff), f.i(-1))));

  const { m, e, scaled } = split(f, base);
  const { high, low } = log2(f, m, f.build.convert(f.shiftRight(e, 23), "f32"));
  // y log2(base) = n + r, where the first product is exact and decides n; the root, scaled down to nothing, adds its
  // NaN. Zero and infinity have the logarithms -infinity and infinity instead.
  const product = f.mul(yHigh, high);
  const sound = constantOf(integer) === 1 ? product : f.fma(f.sqrt(scaled), f.c(2 ** -64), product);
  const finite = f.lt(f.and(f.sub(f.bits(base), f.i(1)), f.i(0x7fffffff)), f.i(0x7f7fffff));
  const limit = f.mul(f.fma(base, base, f.c(-1)), f.c(Number.POSITIVE_INFINITY));
  const total = f.within(f.select(finite, sound, f.mul(bounded, limit)), -160, 160);
  const { n, bits } = nearest(f, total, 1, 254);
  const rest = f.fma(f.sub(bounded, yHigh), high, f.sub(product, n));
  // Less than 0.66 in size, unless the total was beyond its bounds and r may be anything.
  const r = f.within(f.fma(bounded, low, rest), -1, 1);
  const [first, second] = powersOfTwo(f, bits);
  const power = f.mul(f.fma(f.div(r, bernoulli(f, r, Math.LN2)), first, first), second);

  const flip = f.select(odd, f.i(signBit), f.i(0));
  const signed = constantOf(flip) === 0 ? power : f.float(f.xor(f.bits(power), f.and(f.bits(x), flip)));
  // x^0 and 1^y are 1 even for NaN.
  const one = f.c(1);
  const always = f.or(f.eq(y, f.c(0)), f.and(f.eq(x, one), f.not(f.eq(y, y))));
  return f.select(always, one, signed);
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
  sin,
  cos,
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
