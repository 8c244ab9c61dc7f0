import { expect, test } from "vitest";
import { node } from "../../src/graph/index.ts";
import { constant, evaluate, sequence, vector } from "./evaluate.ts";

// Sums of up to 30 products of numbers below 1, in double precision: 12 decimals leave room for the order of addition.
function expectTorch(actual: number[], first: number[], last: number[], sum: number): void {
  first.forEach((value, i) => {
    expect(actual[i]).toBeCloseTo(value, 12);
  });
  last.forEach((value, i) => {
    expect(actual[actual.length - last.length + i]).toBeCloseTo(value, 12);
  });
  expect(actual.reduce((total, value) => total + value, 0)).toBeCloseTo(sum, 10);
}

test("dot multiplies matrices, and integers exactly modulo 2^32", () => {
  const a = constant([2, 2], [1, 2, 3, 4]);
  const b = constant([2, 2], [5, 6, 7, 8]);
  expect(evaluate(node("dot", [a, b], { spec: "mk,kn->mn" }))).toEqual([19, 22, 43, 50]);
  const large = vector([2147483647, 65537], "int32");
  expect(evaluate(node("dot", [large, large], { spec: "k,k->" }))).toEqual([(1 + Math.imul(65537, 65537)) | 0]);
});

test("dot sums out a label that only one operand has", () => {
  const matrix = constant([2, 2], [1, 2, 3, 4]);
  expect(evaluate(node("dot", [matrix, vector([10, 100])], { spec: "ij,k->ik" }))).toEqual([30, 300, 70, 700]);
});

test("dot agrees with PyTorch's einsum over permuted batch axes", () => {
  // a = sin(arange(1, 25)).reshape(2, 3, 4); b = cos(arange(1, 41)).reshape(4, 2, 5), both float64
  // y = torch.einsum("bmk,kbn->nbm", a, b)
  const y = node("dot", [sequence([2, 3, 4], Math.sin), sequence([4, 2, 5], Math.cos)], { spec: "bmk,kbn->nbm" });
  expect(y.shape).toEqual([5, 2, 3]);
  expectTorch(
    evaluate(y),
    [
      -0.3109018673625177, 0.02581150617449235, 0.2771588146508407, -0.08770768173897504, -0.2237806286933429,
      0.3802532425754792,
    ],
    [0.3440204162501799, -0.0855423195158086, -0.23219203331940974],
    -0.27013358425695144,
  );
});

test("conv with stride, padding, dilation and groups agrees with PyTorch", () => {
  // x = sin(arange(1, 161)).reshape(2, 4, 5, 4); w = cos(arange(1, 73)).reshape(6, 2, 3, 2), both float64
  // y = F.conv2d(x, w, stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2)
  const y = node("conv", [sequence([2, 4, 5, 4], Math.sin), sequence([6, 2, 3, 2], Math.cos)], {
    stride: [2, 1],
    low: [1, 2],
    high: [1, 2],
    inputDilation: [1, 1],
    kernelDilation: [1, 2],
    groups: 2,
  });
  expect(y.shape).toEqual([2, 6, 3, 6]);
  expectTorch(
    evaluate(y),
    [
      -2.284452211242866, -0.21172807268976562, 0.1877093430280105, 1.4650637659314814, 0.8219041548036008,
      1.8561711115410542, 1.9529796522844125, 2.5875709975380685,
    ],
    [-1.10714119907837, -0.028263650948027543, 2.0489393529509434, 1.8449634194119255],
    25.87754774118064,
  );
});

test("conv over a dilated input is PyTorch's transposed convolution", () => {
  // wt = cos(arange(1, 73)).reshape(4, 3, 3, 2), float64
  // y = F.conv_transpose2d(x, wt, stride=(2, 3), padding=(1, 1), output_padding=(1, 0))
  const weight = sequence([4, 3, 3, 2], Math.cos);
  const swapped = node("permute", [node("flip", [weight], { axes: [2, 3] })], { axes: [1, 0, 2, 3] });
  const y = node("conv", [sequence([2, 4, 5, 4], Math.sin), swapped], {
    stride: [1, 1],
    low: [1, 0],
    high: [2, 0],
    inputDilation: [2, 3],
    kernelDilation: [1, 1],
    groups: 1,
  });
  expect(y.shape).toEqual([2, 3, 10, 9]);
  expectTorch(
    evaluate(y),
    [-1.3959955565021405, 0, -1.8048976898037759, -0.06233805087802051, 0, 0.2526029134353573, 1.3286327712367008, 0],
    [-0.3189512736805019, -2.0982838389219656, 0, -1.353305138878512],
    2.364002720743241,
  );
});

test("negative padding crops, in one and in three dimensions", () => {
  const line = constant([1, 1, 5], [1, 2, 3, 4, 5]);
  const attributes = { stride: [1], low: [-1], high: [-2], inputDilation: [1], kernelDilation: [1], groups: 1 };
  expect(evaluate(node("conv", [line, constant([1, 1, 1], [10])], attributes))).toEqual([20, 30]);
  const cube = sequence([1, 1, 2, 2, 2], (i) => i);
  const volume = node("conv", [cube, constant([1, 1, 1, 1, 2], [1, 10])], {
    stride: [1, 1, 1],
    low: [-1, 0, 0],
    high: [0, 0, 0],
    inputDilation: [1, 1, 1],
    kernelDilation: [1, 1, 1],
    groups: 1,
  });
  expect(volume.shape).toEqual([1, 1, 1, 2, 1]);
  expect(evaluate(volume)).toEqual([65, 87]);
});
