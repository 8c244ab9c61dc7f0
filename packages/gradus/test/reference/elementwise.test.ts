import { describe, expect, test } from "vitest";
import {
  ArgumentError,
  type BinaryFunction,
  type Comparison,
  type DType,
  node,
  type UnaryFunction,
} from "../../src/graph/index.ts";
import { evaluate, vector } from "./evaluate.ts";

const unary = (fn: UnaryFunction, values: number[], dtype: DType = "float64") =>
  evaluate(node("unary", [vector(values, dtype)], { fn }));
const binary = (fn: BinaryFunction, a: number[], b: number[], dtype: DType = "float64") =>
  evaluate(node("binary", [vector(a, dtype), vector(b, dtype)], { fn }));
const cast = (values: number[], from: DType, to: DType) =>
  evaluate(node("cast", [vector(values, from)], {}, { shape: [values.length], dtype: to }));

/** A few units in the last place of a double: two good libraries differ by that much. */
function expectClose(actual: readonly number[], expected: readonly number[], relative = 1e-15): void {
  expect(actual.length).toBe(expected.length);
  actual.forEach((value, i) => {
    if (!Number.isFinite(expected[i])) expect(value).toBe(expected[i]);
    else expect(Math.abs(value - expected[i])).toBeLessThanOrEqual(relative * Math.abs(expected[i]));
  });
}

describe("unary functions", () => {
  // x = torch.tensor([-2.5, -0.5, -0.25, 0.5, 1.5, 2.5], dtype=torch.float64); getattr(torch, fn)(x).tolist()
  const x = [-2.5, -0.5, -0.25, 0.5, 1.5, 2.5];
  const fromTorch: Record<Exclude<UnaryFunction, "not">, number[]> = {
    neg: [2.5, 0.5, 0.25, -0.5, -1.5, -2.5],
    abs: [2.5, 0.5, 0.25, 0.5, 1.5, 2.5],
    sign: [-1, -1, -1, 1, 1, 1],
    exp: [
      0.0820849986238988, 0.6065306597126334, 0.7788007830714049, 1.6487212707001282, 4.4816890703380645,
      12.182493960703473,
    ],
    expm1: [
      -0.9179150013761012, -0.3934693402873666, -0.22119921692859512, 0.6487212707001282, 3.481689070338065,
      11.182493960703473,
    ],
    log: [NaN, NaN, NaN, -Math.LN2, 0.4054651081081644, 0.9162907318741551],
    log1p: [NaN, -Math.LN2, -0.2876820724517809, 0.4054651081081644, 0.9162907318741551, 1.252762968495368],
    sqrt: [NaN, NaN, NaN, Math.SQRT1_2, 1.224744871391589, 1.5811388300841898],
    rsqrt: [NaN, NaN, NaN, Math.SQRT2, 0.8164965809277261, 0.6324555320336759],
    reciprocal: [-0.4, -2, -4, 2, 0.6666666666666666, 0.4],
    sin: [
      -0.5984721441039564, -0.479425538604203, -0.24740395925452294, 0.479425538604203, 0.9974949866040544,
      0.5984721441039564,
    ],
    cos: [
      -0.8011436155469337, 0.8775825618903728, 0.9689124217106447, 0.8775825618903728, 0.0707372016677029,
      -0.8011436155469337,
    ],
    tanh: [
      -0.9866142981514303, -0.46211715726000974, -0.24491866240370913, 0.46211715726000974, 0.9051482536448664,
      0.9866142981514303,
    ],
    sigmoid: [
      0.07585818002124355, 0.3775406687981454, 0.43782349911420193, 0.6224593312018546, 0.8175744761936437,
      0.9241418199787566,
    ],
    erf: [
      -0.999593047982555, -0.5204998778130465, -0.27632639016823696, 0.5204998778130465, 0.9661051464753108,
      0.999593047982555,
    ],
    floor: [-3, -1, -1, 0, 1, 2],
    ceil: [-2, -0, -0, 1, 2, 3],
    round: [-2, -0, -0, 0, 2, 2],
    trunc: [-2, -0, -0, 0, 1, 2],
  };
  for (const [fn, expected] of Object.entries(fromTorch))
    test(`${fn} agrees with PyTorch in double precision`, () => expectClose(unary(fn as UnaryFunction, x), expected));

  test("erf agrees with PyTorch in double precision, across where its two forms meet", () => {
    // torch.erf(torch.tensor(x, dtype=torch.float64)).tolist()
    expectClose(
      unary("erf", [-7, -3.5, -2.2, -0.3, 1e-9, 0.5, 1, 2, 2.9, 3.1, 4, 5.5]),
      [
        -1, -0.9999992569016276, -0.9981371537020182, -0.3286267594591274, 1.1283791670955127e-9, 0.5204998778130465,
        0.8427007929497149, 0.9953222650189527, 0.9999589021219005, 0.9999883513426328, 0.9999999845827421,
        0.9999999999999927,
      ],
    );
    expect(unary("erf", [Number.NaN, Infinity, -Infinity, -0])).toEqual([NaN, 1, -1, -0]);
  });

  test("sign of NaN is 0 as in PyTorch, and sigmoid does not overflow", () => {
    expect(unary("sign", [NaN, -0, -3])).toEqual([0, 0, -1]);
    expect(unary("sigmoid", [1000, -1000])).toEqual([1, 0]);
  });

  test("not is logical on bool and bitwise on integers", () => {
    expect(unary("not", [0, 1], "bool")).toEqual([1, 0]);
    expect(unary("not", [0, 5], "int32")).toEqual([-1, -6]);
    expect(unary("not", [5], "uint8")).toEqual([250]);
  });

  test("negation wraps in integers", () => {
    expect(unary("neg", [1, 0], "uint8")).toEqual([255, 0]);
    expect(unary("abs", [-0x80000000], "int32")).toEqual([-0x80000000]);
  });
});

describe("binary functions", () => {
  test("float arithmetic keeps double precision in float32 programs", () => {
    expect(binary("add", [1], [1e-12], "float32")).toEqual([1 + 1e-12]);
    expect(binary("sub", [5.5], [2.25])).toEqual([3.25]);
    expect(binary("mul", [1.5], [-3])).toEqual([-4.5]);
    expect(binary("div", [1, -1, 0], [4, 0, 0])).toEqual([0.25, -Infinity, NaN]);
  });

  test("integer arithmetic wraps to its width", () => {
    // torch.tensor([2147483647, 65537, -5], dtype=torch.int32) * torch.tensor([2147483647, 65539, 7], dtype=torch.int32)
    expect(binary("mul", [2147483647, 65537, -5], [2147483647, 65539, 7], "int32")).toEqual([1, 262147, -35]);
    expect(binary("add", [2147483647], [1], "int32")).toEqual([-2147483648]);
    expect(binary("add", [200, 100], [100, 100], "uint8")).toEqual([44, 200]);
    expect(binary("sub", [3], [5], "uint8")).toEqual([254]);
    expect(binary("add", [1, 0], [1, 1], "bool")).toEqual([1, 1]);
  });

  test("remainder takes the sign of the divisor", () => {
    // torch.remainder(torch.tensor([5.5, -5.5, 5.5, -5.5, -1.]), torch.tensor([3., 3., -3., -3., float("inf")]))
    expect(binary("remainder", [5.5, -5.5, 5.5, -5.5, -1], [3, 3, -3, -3, Infinity])).toEqual([
      2.5,
      0.5,
      -0.5,
      -2.5,
      Infinity,
    ]);
    expect(binary("remainder", [5, -5, 5, -5, 6], [3, 3, -3, -3, -3], "int32")).toEqual([2, 1, -1, -2, 0]);
    expect(binary("remainder", [1], [0])).toEqual([NaN]);
    expect(() => binary("remainder", [7], [0], "int32")).toThrow(ArgumentError);
  });

  test("pow follows C where JavaScript does not", () => {
    expect(binary("pow", [1, -1, 1, 2, NaN], [NaN, Infinity, -Infinity, -2, 0])).toEqual([1, 1, 1, 0.25, 1]);
    // torch.pow(torch.tensor([3,-1,-1,2,7,46341,0], dtype=torch.int32), torch.tensor([4,-3,-2,-1,20,2,0], dtype=torch.int32))
    expect(binary("pow", [3, -1, -1, 2, 7, 46341, 0], [4, -3, -2, -1, 20, 2, 0], "int32")).toEqual([
      81, -1, 1, 0, -1199696159, -2147479015, 1,
    ]);
  });

  test("max and min propagate NaN", () => {
    expect(binary("max", [1, NaN, 2], [3, 1, NaN])).toEqual([3, NaN, NaN]);
    expect(binary("min", [1, NaN, 2], [3, 1, NaN])).toEqual([1, NaN, NaN]);
  });

  test("and, or and xor work bit by bit", () => {
    expect(binary("and", [12, 1], [10, 0], "int32")).toEqual([8, 0]);
    expect(binary("or", [12, 1], [10, 0], "int32")).toEqual([14, 1]);
    expect(binary("xor", [12, -1], [10, 0], "int32")).toEqual([6, -1]);
    expect(binary("xor", [1, 1, 0], [1, 0, 0], "bool")).toEqual([0, 1, 0]);
  });
});

test("comparisons with NaN are false but for ne", () => {
  const a = vector([1, 2, 3, NaN]);
  const b = vector([2, 2, 2, NaN]);
  const compare = (fn: Comparison) => evaluate(node("compare", [a, b], { fn }));
  expect(compare("eq")).toEqual([0, 1, 0, 0]);
  expect(compare("ne")).toEqual([1, 0, 1, 1]);
  expect(compare("lt")).toEqual([1, 0, 0, 0]);
  expect(compare("le")).toEqual([1, 1, 0, 0]);
});

test("select takes the first value where the condition holds, and no NaN of the other", () => {
  const condition = vector([1, 0, 1], "bool");
  expect(evaluate(node("select", [condition, vector([1, NaN, 3]), vector([NaN, 5, 6])], {}))).toEqual([1, 5, 3]);
});

test("casts truncate, saturate, wrap and round as documented", () => {
  expect(cast([2.9, -2.9, NaN, 1e20, -Infinity], "float64", "int32")).toEqual([2, -2, 0, 2147483647, -2147483648]);
  // torch.tensor([-1., 300., 2.9, -1.9]).to(torch.uint8)
  expect(cast([-1, 300, 2.9, -1.9], "float32", "uint8")).toEqual([255, 44, 2, 255]);
  expect(cast([-1, 300], "int32", "uint8")).toEqual([255, 44]);
  expect(cast([0, 0.5, NaN, -0], "float32", "bool")).toEqual([0, 1, 1, 0]);
  expect(cast([0.1, 16777217], "float64", "float32")).toEqual([Math.fround(0.1), 16777216]);
});
