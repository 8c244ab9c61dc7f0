import { describe, expect, it } from "vitest";
import type { PlainOpcode, ValueType } from "../../../src/backends/cpu/wasm/assembler.ts";
import { compile, randomIntegers } from "./assemble.ts";

type Meaning<T> = (...operands: T[]) => T | number | boolean;

const rotate = (x: bigint, by: bigint, width: number) => {
  const n = BigInt.asUintN(width, by) % BigInt(width);
  const unsigned = BigInt.asUintN(width, x);
  return (unsigned << n) | (unsigned >> (BigInt(width) - n));
};
const bitString = (x: bigint, width: number) => BigInt.asUintN(width, x).toString(2).padStart(width, "0");
const leading = (text: string) => BigInt(text.length - text.replace(/^0+/, "").length);

/** The integer instructions of one width, over signed bigints; results are taken modulo 2^width. */
function integerMeanings(width: number): Record<string, Meaning<bigint>> {
  const unsigned = (x: bigint) => BigInt.asUintN(width, x);
  const shift = (x: bigint) => unsigned(x) % BigInt(width);
  return {
    eqz: (a) => a === 0n,
    eq: (a, b) => a === b,
    ne: (a, b) => a !== b,
    lt_s: (a, b) => a < b,
    lt_u: (a, b) => unsigned(a) < unsigned(b),
    gt_s: (a, b) => a > b,
    gt_u: (a, b) => unsigned(a) > unsigned(b),
    le_s: (a, b) => a <= b,
    le_u: (a, b) => unsigned(a) <= unsigned(b),
    ge_s: (a, b) => a >= b,
    ge_u: (a, b) => unsigned(a) >= unsigned(b),
    clz: (a) => leading(bitString(a, width)),
    ctz: (a) => leading([...bitString(a, width)].reverse().join("")),
    popcnt: (a) => BigInt(bitString(a, width).replaceAll("0", "").length),
    add: (a, b) => a + b,
    sub: (a, b) => a - b,
    mul: (a, b) => a * b,
    div_s: (a, b) => a / b,
    div_u: (a, b) => unsigned(a) / unsigned(b),
    rem_s: (a, b) => a % b,
    rem_u: (a, b) => unsigned(a) % unsigned(b),
    and: (a, b) => a & b,
    or: (a, b) => a | b,
    xor: (a, b) => a ^ b,
    shl: (a, b) => a << shift(b),
    shr_s: (a, b) => a >> shift(b),
    shr_u: (a, b) => unsigned(a) >> shift(b),
    rotl: (a, b) => rotate(a, b, width),
    rotr: (a, b) => rotate(a, -b, width),
    extend8_s: (a) => BigInt.asIntN(8, a),
    extend16_s: (a) => BigInt.asIntN(16, a),
  };
}

const roundToEven = (x: number) => {
  const floor = Math.floor(x);
  const rounded = x - floor === 0.5 ? floor + (Math.abs(floor) % 2) : Math.round(x);
  return rounded === 0 && Object.is(Math.sign(x), -1) ? -0 : rounded;
};
const floatMeanings: Record<string, Meaning<number>> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  gt: (a, b) => a > b,
  le: (a, b) => a <= b,
  ge: (a, b) => a >= b,
  abs: Math.abs,
  neg: (a) => -a,
  ceil: Math.ceil,
  floor: Math.floor,
  trunc: Math.trunc,
  nearest: roundToEven,
  sqrt: Math.sqrt,
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  min: Math.min,
  max: Math.max,
  copysign: (a, b) => (Object.is(Math.sign(b), -0) || b < 0 ? -Math.abs(a) : Math.abs(a)),
};

const random = randomIntegers(1);
/** Small and large values alike, so that equality, order and overflow all happen. */
const randomBigint = (width: number) => {
  const wide = (BigInt(random()) << 32n) | BigInt(random());
  return BigInt.asIntN(width, random() % 3 === 0 ? BigInt.asIntN(4, wide) : wide) || 1n;
};
const randomFloat = () => {
  const value = ((random() % 2001) - 1000) / 8;
  return random() % 3 === 0 ? value * 2 ** ((random() % 60) - 30) : value;
};

const isComparison = (name: string) => /^(eqz?|ne|[lg][te](_[su])?)$/.test(name);

describe.each([32, 64])("i%i instructions mean what JavaScript's integers say", (width) => {
  const type = `i${width}` as "i32" | "i64";
  const toWasm = (x: bigint) => (width === 32 ? Number(x) : x);
  it.each(Object.entries(integerMeanings(width)))("%s", (name, meaning) => {
    const result = isComparison(name) ? "i32" : type;
    const f = compile({ params: [type, type], results: [result] }, (f) => {
      f.get(0);
      if (meaning.length === 2) f.get(1);
      f.op(`${type}.${name}` as PlainOpcode);
    });
    for (let round = 0; round < 50; round++) {
      const [a, b] = [randomBigint(width), randomBigint(width)];
      const expected = meaning(a, b);
      expect(f(toWasm(a), toWasm(b)), `${name}(${a}, ${b})`).toBe(
        typeof expected === "bigint" ? toWasm(BigInt.asIntN(width, expected)) : Number(expected),
      );
    }
  });
});

describe.each([32, 64])("f%i instructions mean what JavaScript's numbers say", (width) => {
  const type = `f${width}` as "f32" | "f64";
  const round = width === 32 ? Math.fround : (x: number) => x;
  // sqrt, + - * / on float32 operands in float64, rounded once more, equal the float32 operation (Figueroa, 1995).
  it.each(Object.entries(floatMeanings))("%s", (name, meaning) => {
    const result = isComparison(name) ? "i32" : type;
    const unary = meaning.length === 1;
    const f = compile({ params: [type, type], results: [result] }, (f) => {
      f.get(0);
      if (!unary) f.get(1);
      f.op(`${type}.${name}` as PlainOpcode);
    });
    for (let i = 0; i < 50; i++) {
      const [a, b] = [round(randomFloat()), round(randomFloat())];
      const expected = unary ? meaning(a) : meaning(a, b);
      expect(f(a, b), `${name}(${a}, ${b})`).toBe(typeof expected === "number" ? round(expected) : Number(expected));
    }
  });
});

describe("conversions", () => {
  const convert = (name: PlainOpcode, from: ValueType, to: ValueType) =>
    compile({ params: [from], results: [to] }, (f) => f.get(0).op(name));
  const asFloat32 = (x: number) => new Int32Array(Float32Array.of(x).buffer)[0]!;

  it.each<[PlainOpcode, ValueType, ValueType, number | bigint, number | bigint]>([
    ["i32.wrap_i64", "i64", "i32", 0x1_8000_0003n, -0x7fff_fffd],
    ["i64.extend_i32_s", "i32", "i64", -7, -7n],
    ["i64.extend_i32_u", "i32", "i64", -7, 0xffff_fff9n],
    ["i64.extend32_s", "i64", "i64", 0x1_ffff_fff9n, -7n],
    ["i32.trunc_f32_s", "f32", "i32", -7.75, -7],
    ["i32.trunc_f32_u", "f32", "i32", 3e9, 3e9 | 0],
    ["i32.trunc_f64_s", "f64", "i32", -2147483648.9, -2147483648],
    ["i32.trunc_f64_u", "f64", "i32", 4294967295.5, -1],
    ["i64.trunc_f32_s", "f32", "i64", -(2 ** 40), -(2n ** 40n)],
    ["i64.trunc_f32_u", "f32", "i64", 2 ** 63, -(2n ** 63n)],
    ["i64.trunc_f64_s", "f64", "i64", -1e15 - 0.5, -1000000000000000n],
    ["i64.trunc_f64_u", "f64", "i64", 2 ** 63, -(2n ** 63n)],
    ["i32.trunc_sat_f32_s", "f32", "i32", 1e20, 2 ** 31 - 1],
    ["i32.trunc_sat_f32_u", "f32", "i32", -5, 0],
    ["i32.trunc_sat_f64_s", "f64", "i32", Number.NaN, 0],
    ["i32.trunc_sat_f64_u", "f64", "i32", 1e20, -1],
    ["i64.trunc_sat_f32_s", "f32", "i64", -1e30, -(2n ** 63n)],
    ["i64.trunc_sat_f32_u", "f32", "i64", 1e30, -1n],
    ["i64.trunc_sat_f64_s", "f64", "i64", 1e300, 2n ** 63n - 1n],
    ["i64.trunc_sat_f64_u", "f64", "i64", -1e300, 0n],
    ["f32.convert_i32_s", "i32", "f32", -16777217, -16777216],
    ["f32.convert_i32_u", "i32", "f32", -1, 2 ** 32],
    ["f32.convert_i64_s", "i64", "f32", -3n, -3],
    ["f32.convert_i64_u", "i64", "f32", -1n, 2 ** 64],
    ["f32.demote_f64", "f64", "f32", 0.1, Math.fround(0.1)],
    ["f64.convert_i32_s", "i32", "f64", -5, -5],
    ["f64.convert_i32_u", "i32", "f64", -5, 4294967291],
    ["f64.convert_i64_s", "i64", "f64", -5n, -5],
    ["f64.convert_i64_u", "i64", "f64", -1n, 2 ** 64],
    ["f64.promote_f32", "f32", "f64", 0.1, Math.fround(0.1)],
    ["i32.reinterpret_f32", "f32", "i32", 0.1, asFloat32(0.1)],
    ["f32.reinterpret_i32", "i32", "f32", asFloat32(-0.3), Math.fround(-0.3)],
    ["i64.reinterpret_f64", "f64", "i64", -2, -(2n ** 62n)],
    ["f64.reinterpret_i64", "i64", "f64", -(2n ** 62n), -2],
  ])("%s", (name, from, to, operand, expected) => {
    expect(convert(name, from, to)(operand)).toBe(expected);
  });

  it("select takes the first operand where the condition holds", () => {
    const f = compile({ params: ["i32"], results: ["f64"] }, (f) => f.f64(1.5).f64(2.5).get(0).op("select"));
    expect([f(3), f(0)]).toEqual([1.5, 2.5]);
  });

  it("a division by zero traps", () => {
    const f = compile({ params: ["i32"], results: ["i32"] }, (f) => f.i32(1).get(0).op("i32.div_s"));
    expect(() => f(0)).toThrow(WebAssembly.RuntimeError);
  });
});
