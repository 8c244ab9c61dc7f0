import { describe, expect, it } from "vitest";
import type { FunctionBuilder, PlainOpcode } from "../../../src/backends/cpu/wasm/assembler.ts";
import { detectFeatures } from "../../../src/backends/cpu/wasm/features.ts";
import { compile, newMemory, randomIntegers } from "./assemble.ts";

const features = await detectFeatures();

const lanes = {
  i8x16: Int8Array,
  i16x8: Int16Array,
  i32x4: Int32Array,
  i64x2: BigInt64Array,
  f32x4: Float32Array,
  f64x2: Float64Array,
} as const;
type Shape = keyof typeof lanes;
const unsignedLanes = { i8x16: Uint8Array, i16x8: Uint16Array, i32x4: Uint32Array, i64x2: BigUint64Array } as const;
type IntegerShape = keyof typeof unsignedLanes;
const integerShapes: readonly IntegerShape[] = ["i8x16", "i16x8", "i32x4", "i64x2"];

/** Three vectors stand in the memory from 0, the result at 48. */
const memory = newMemory();
const result = 48;
const at = <S extends Shape>(shape: S, address: number) =>
  new lanes[shape](memory.buffer, address, 16 / lanes[shape].BYTES_PER_ELEMENT) as InstanceType<(typeof lanes)[S]>;

function run(operands: number, body: (f: FunctionBuilder) => void): void {
  compile(
    { params: [], results: [] },
    (f) => {
      f.i32(0);
      for (let i = 0; i < operands; i++) f.i32(0).memory("v128.load", 16 * i);
      body(f);
      f.memory("v128.store", result);
    },
    memory,
  )();
}

const random = randomIntegers(2);
function fillWithBits(): void {
  new Uint32Array(memory.buffer, 0, 12).forEach((_, i, words) => {
    words[i] = random();
  });
  new Uint8Array(memory.buffer, 0, 4).set(new Uint8Array(memory.buffer, 16, 4)); // so that some lanes are equal
}

/** Vectors of values from -125 to 125 in steps of 1/8. */
function fillWithFloats(shape: "f32x4" | "f64x2"): void {
  for (let address = 0; address < 48; address += 16) {
    at(shape, address).forEach((_, i, vector) => {
      vector[i] = ((random() % 2001) - 1000) / 8;
    });
  }
}

describe("integer lanes", () => {
  const ascending = (a: bigint, b: bigint) => (a < b ? -1 : 1);
  const wide = (values: ArrayLike<number | bigint>) => Array.from(values, BigInt);
  const meanings: Record<string, (a: bigint, b: bigint, width: number) => bigint | boolean> = {
    add: (a, b) => a + b,
    sub: (a, b) => a - b,
    mul: (a, b) => a * b,
    eq: (a, b) => a === b,
    ne: (a, b) => a !== b,
    lt: (a, b) => a < b,
    gt: (a, b) => a > b,
    le: (a, b) => a <= b,
    ge: (a, b) => a >= b,
    min: (a, b) => [a, b].sort(ascending)[0]!,
    max: (a, b) => [a, b].sort(ascending)[1]!,
    abs: (a) => (a < 0n ? -a : a),
    neg: (a) => -a,
  };
  const absent = ["i8x16.mul", "i64x2.min_s", "i64x2.max_s"];
  const signedSuffix = (name: string) => (["lt", "gt", "le", "ge", "min", "max"].includes(name) ? "_s" : "");

  describe.each(integerShapes)("%s", (shape) => {
    const width = 8 * lanes[shape].BYTES_PER_ELEMENT;
    const names = Object.keys(meanings).filter((name) => !absent.includes(`${shape}.${name}${signedSuffix(name)}`));
    it.each(names)("%s", (name) => {
      const meaning = meanings[name]!;
      for (let round = 0; round < 8; round++) {
        fillWithBits();
        const unary = meaning.length === 1;
        run(unary ? 1 : 2, (f) => f.op(`${shape}.${name}${signedSuffix(name)}` as PlainOpcode));
        const [a, b] = [wide(at(shape, 0)), wide(at(shape, 16))];
        const expected = a.map((x, i) => {
          const value = meaning(x, b[i]!, width);
          return BigInt.asIntN(width, typeof value === "boolean" ? -BigInt(value) : value);
        });
        expect(wide(at(shape, result))).toEqual(expected);
      }
    });

    it.each(shape === "i64x2" ? [] : ["lt", "gt", "le", "ge", "min", "max"])("%s without sign", (name) => {
      fillWithBits();
      run(2, (f) => f.op(`${shape}.${name}_u` as PlainOpcode));
      const unsigned = (address: number) => wide(new unsignedLanes[shape](memory.buffer, address, at(shape, 0).length));
      const [a, b] = [unsigned(0), unsigned(16)];
      const expected = a.map((x, i) => {
        const value = meanings[name]!(x, b[i]!, width);
        return BigInt.asUintN(width, typeof value === "boolean" ? -BigInt(value) : value);
      });
      expect(unsigned(result)).toEqual(expected);
    });

    it("shifts by the count modulo the width", () => {
      fillWithBits();
      const a = wide(at(shape, 0));
      const shifted = (name: string, count: number) => {
        run(1, (f) => f.i32(count).op(`${shape}.${name}` as PlainOpcode));
        return wide(at(shape, result));
      };
      const signed = (x: bigint) => BigInt.asIntN(width, x);
      expect(shifted("shl", 3)).toEqual(a.map((x) => signed(x << 3n)));
      expect(shifted("shr_s", width + 3)).toEqual(a.map((x) => x >> 3n));
      expect(shifted("shr_u", 3)).toEqual(a.map((x) => signed(BigInt.asUintN(width, x) >> 3n)));
    });

    it("gathers signs and tests for zeros", () => {
      fillWithBits();
      const scalar = (name: string) =>
        compile(
          { params: [], results: ["i32"] },
          (f) =>
            f
              .i32(0)
              .memory("v128.load", 0)
              .op(name as PlainOpcode),
          memory,
        )();
      const a = wide(at(shape, 0));
      expect(scalar(`${shape}.bitmask`)).toBe(a.reduce((mask, x, i) => mask | (Number(x < 0n) << i), 0));
      expect(scalar(`${shape}.all_true`)).toBe(Number(a.every((x) => x !== 0n)));
      expect(scalar("v128.any_true")).toBe(1);
    });
  });
});

describe.each(["f32x4", "f64x2"] as const)("%s lanes", (shape) => {
  const round = shape === "f32x4" ? Math.fround : (x: number) => x;
  const meanings: Record<string, (a: number, b: number) => number> = {
    add: (a, b) => a + b,
    sub: (a, b) => a - b,
    mul: (a, b) => a * b,
    div: (a, b) => a / b,
    min: (a, b) => Math.min(a, b),
    max: (a, b) => Math.max(a, b),
    pmin: (a, b) => Math.min(a, b),
    pmax: (a, b) => Math.max(a, b),
    abs: (a) => Math.abs(a),
    neg: (a) => -a,
    sqrt: (a) => Math.sqrt(a),
    ceil: (a) => Math.ceil(a),
    floor: (a) => Math.floor(a),
    trunc: (a) => Math.trunc(a),
    nearest: (a) => (Math.abs(a % 1) === 0.5 ? 2 * Math.round(a / 2) : Math.round(a)),
  };
  it.each(Object.keys(meanings))("%s", (name) => {
    const meaning = meanings[name]!;
    for (let i = 0; i < 8; i++) {
      fillWithFloats(shape);
      run(meaning.length, (f) => f.op(`${shape}.${name}` as PlainOpcode));
      const b = at(shape, 16);
      expect([...at(shape, result)]).toEqual([...at(shape, 0)].map((x, lane) => round(meaning(x, b[lane]!))));
    }
  });

  it("compare into masks that bitselect takes", () => {
    fillWithFloats(shape);
    for (const [name, holds] of [
      ["lt", (a: number, b: number) => a < b],
      ["ge", (a: number, b: number) => a >= b],
      ["ne", (a: number, b: number) => a !== b],
    ] as const) {
      run(2, (f) => {
        f.i32(0).memory("v128.load", 0).i32(0).memory("v128.load", 16);
        f.op(`${shape}.${name}`).op("v128.bitselect");
      });
      const b = at(shape, 16);
      expect([...at(shape, result)]).toEqual([...at(shape, 0)].map((x, i) => (holds(x, b[i]!) ? x : b[i])));
    }
  });
});

describe("bitwise", () => {
  it.each([
    ["v128.and", (a: number, b: number) => a & b],
    ["v128.or", (a: number, b: number) => a | b],
    ["v128.xor", (a: number, b: number) => a ^ b],
    ["v128.andnot", (a: number, b: number) => a & ~b],
    ["v128.not", (a: number) => ~a],
  ] as const)("%s", (name, meaning) => {
    fillWithBits();
    run(meaning.length, (f) => f.op(name));
    const b = at("i32x4", 16);
    expect([...at("i32x4", result)]).toEqual([...at("i32x4", 0)].map((x, i) => meaning(x, b[i]!)));
  });
});

describe("moving lanes", () => {
  it("splats, extracts and replaces", () => {
    run(0, (f) => f.f32(1.5).op("f32x4.splat").f32(-2).lane("f32x4.replace_lane", 2));
    expect([...at("f32x4", result)]).toEqual([1.5, 1.5, -2, 1.5]);
    run(0, (f) => f.f64(0.1).op("f64x2.splat").f64(7).lane("f64x2.replace_lane", 1));
    expect([...at("f64x2", result)]).toEqual([0.1, 7]);
    run(0, (f) => f.i64(-5n).op("i64x2.splat").i64(9n).lane("i64x2.replace_lane", 0));
    expect([...at("i64x2", result)]).toEqual([9n, -5n]);
    const extract = (name: "i8x16.extract_lane_s" | "i8x16.extract_lane_u") =>
      compile({ params: [], results: ["i32"] }, (f) => f.i32(0xfe).op("i8x16.splat").lane(name, 15))();
    expect([extract("i8x16.extract_lane_s"), extract("i8x16.extract_lane_u")]).toEqual([-2, 254]);
  });

  it("shuffles bytes of two vectors and swizzles those of one", () => {
    fillWithBits();
    const order = [31, 0, 17, 4, 4, 30, 2, 16, 15, 8, 9, 10, 20, 21, 1, 29];
    const bytes = [...at("i8x16", 0), ...at("i8x16", 16)];
    run(2, (f) => f.shuffle(order));
    expect([...at("i8x16", result)]).toEqual(order.map((lane) => bytes[lane]));
    run(1, (f) => f.v128(Uint8Array.from(order)).op("i8x16.swizzle"));
    expect([...at("i8x16", result)]).toEqual(order.map((lane) => (lane < 16 ? bytes[lane] : 0)));
  });

  it("loads splatted, extended, zero-filled, and by the lane", () => {
    fillWithBits();
    const words = [...at("i32x4", 16)];
    run(0, (f) => f.i32(4).memory("v128.load32_splat", 16));
    expect([...at("i32x4", result)]).toEqual(words.map(() => words[1]));
    run(0, (f) => f.i32(4).memory("v128.load32_zero", 16));
    expect([...at("i32x4", result)]).toEqual([words[1], 0, 0, 0]);
    run(0, (f) => f.i32(0).memory("v128.load8x8_u", 16));
    expect([...at("i16x8", result)]).toEqual([...new Uint8Array(memory.buffer, 16, 8)]);
    run(0, (f) => f.i32(0).memory("v128.load16x4_s", 16));
    expect([...at("i32x4", result)]).toEqual([...at("i16x8", 16)].slice(0, 4));
    run(0, (f) => f.i32(8).i32(0).memory("v128.load", 16).memoryLane("v128.load32_lane", 16, 0));
    expect([...at("i32x4", result)]).toEqual([words[2], words[1], words[2], words[3]]);
  });

  it("stores by the lane", () => {
    fillWithBits();
    const words = [...at("i32x4", 0)];
    run(1, (f) => {
      f.i32(100).i32(0).memory("v128.load", 0).memoryLane("v128.store32_lane", 28, 3);
    });
    expect(new Int32Array(memory.buffer, 128, 1)[0]).toBe(words[3]);
  });
});

describe("conversions between lanes", () => {
  it("of floats and integers", () => {
    at("f32x4", 0).set([1.5, -2.7, 3e10, Number.NaN]);
    run(1, (f) => f.op("i32x4.trunc_sat_f32x4_s"));
    expect([...at("i32x4", result)]).toEqual([1, -2, 2 ** 31 - 1, 0]);
    at("i32x4", 0).set([-1, 2, -3, 2 ** 24 + 1]);
    run(1, (f) => f.op("f32x4.convert_i32x4_s"));
    expect([...at("f32x4", result)]).toEqual([-1, 2, -3, 2 ** 24]);
    run(1, (f) => f.op("f64x2.convert_low_i32x4_u"));
    expect([...at("f64x2", result)]).toEqual([2 ** 32 - 1, 2]);
  });

  it("of float32 and float64", () => {
    at("f64x2", 0).set([0.1, -1e10]);
    run(1, (f) => f.op("f32x4.demote_f64x2_zero"));
    expect([...at("f32x4", result)]).toEqual([Math.fround(0.1), -1e10, 0, 0]);
    at("f32x4", 0).set([0.1, -2, 3, 4]);
    run(1, (f) => f.op("f64x2.promote_low_f32x4"));
    expect([...at("f64x2", result)]).toEqual([Math.fround(0.1), -2]);
  });

  it("of integers of different widths", () => {
    at("i16x8", 0).set([1, -2, 300, -300, 5, 6, 7, 8]);
    at("i16x8", 16).set([10, 20, 30, 40, 50, 60, 70, -80]);
    run(2, (f) => f.op("i8x16.narrow_i16x8_u"));
    expect([...new Uint8Array(memory.buffer, result, 16)]).toEqual([
      1, 0, 255, 0, 5, 6, 7, 8, 10, 20, 30, 40, 50, 60, 70, 0,
    ]);
    run(1, (f) => f.op("i32x4.extend_low_i16x8_s"));
    expect([...at("i32x4", result)]).toEqual([1, -2, 300, -300]);
    run(2, (f) => f.op("i32x4.dot_i16x8_s"));
    expect([...at("i32x4", result)]).toEqual([10 - 40, 9000 - 12000, 250 + 360, 490 - 640]);
    run(2, (f) => f.op("i32x4.extmul_high_i16x8_s"));
    expect([...at("i32x4", result)]).toEqual([250, 360, 490, -640]);
  });
});

describe.runIf(features.relaxedSimd)("relaxed instructions", () => {
  // A machine may fuse or not; with operands of few bits the product is exact and both agree.
  it.each(["f32x4", "f64x2"] as const)("%s multiply-adds", (shape) => {
    fillWithFloats(shape);
    const [a, b, c] = [[...at(shape, 0)], [...at(shape, 16)], [...at(shape, 32)]];
    run(3, (f) => f.op(`${shape}.relaxed_madd`));
    expect([...at(shape, result)]).toEqual(a.map((x, i) => x * b[i]! + c[i]!));
    run(3, (f) => f.op(`${shape}.relaxed_nmadd`));
    expect([...at(shape, result)]).toEqual(a.map((x, i) => -(x * b[i]!) + c[i]!));
  });

  it("minimum, maximum, truncation and selection agree with the strict ones where those are defined", () => {
    fillWithFloats("f32x4");
    const [a, b] = [[...at("f32x4", 0)], [...at("f32x4", 16)]];
    run(2, (f) => f.op("f32x4.relaxed_min"));
    expect([...at("f32x4", result)]).toEqual(a.map((x, i) => Math.min(x, b[i]!)));
    run(2, (f) => f.op("f32x4.relaxed_max"));
    expect([...at("f32x4", result)]).toEqual(a.map((x, i) => Math.max(x, b[i]!)));
    run(1, (f) => f.op("i32x4.relaxed_trunc_f32x4_s"));
    expect([...at("i32x4", result)]).toEqual(a.map((x) => Math.trunc(x) | 0));
    at("i32x4", 32).set([-1, 0, 0, -1]);
    run(3, (f) => f.op("i32x4.relaxed_laneselect"));
    expect([...at("f32x4", result)]).toEqual([a[0], b[1], b[2], a[3]]);
  });
});
