import { expect, test } from "vitest";
import { type Node, node, type OpAttributes } from "../../src/graph/index.ts";
import { constant, evaluate, sequence, vector } from "./evaluate.ts";

/** 1 2 3 / 4 5 6 */
const matrix = sequence([2, 3], (i) => i);

test("full and iota fill a shape", () => {
  const wanted = { shape: [2, 2], dtype: "int32" } as const;
  expect(evaluate(node("full", [], { value: 7 }, wanted))).toEqual([7, 7, 7, 7]);
  expect(evaluate(node("iota", [], { axis: 0 }, wanted))).toEqual([0, 0, 1, 1]);
  expect(evaluate(node("iota", [], { axis: 1 }, wanted))).toEqual([0, 1, 0, 1]);
});

test("a float32 constant is the float32 number nearest to it", () => {
  expect(evaluate(node("full", [], { value: 0.1 }, { shape: [1], dtype: "float32" }))).toEqual([Math.fround(0.1)]);
});

test("reshape and detach keep the elements", () => {
  expect(evaluate(node("reshape", [matrix], {}, { shape: [3, 2], dtype: "float64" }))).toEqual([1, 2, 3, 4, 5, 6]);
  expect(evaluate(node("detach", [matrix], {}))).toEqual([1, 2, 3, 4, 5, 6]);
});

test("permute moves the axes", () => {
  expect(evaluate(node("permute", [matrix], { axes: [1, 0] }))).toEqual([1, 4, 2, 5, 3, 6]);
  const cube = sequence([2, 1, 3], (i) => i);
  expect(evaluate(node("permute", [cube], { axes: [2, 0, 1] }))).toEqual([1, 4, 2, 5, 3, 6]);
});

test("expand repeats dimensions of size 1", () => {
  const column = constant([2, 1], [8, 9]);
  expect(evaluate(node("expand", [column], {}, { shape: [2, 3], dtype: "float64" }))).toEqual([8, 8, 8, 9, 9, 9]);
});

test("slice starts, stops and steps along every axis", () => {
  const attributes = { start: [0, 1], stop: [2, 3], step: [1, 1] };
  expect(evaluate(node("slice", [matrix], attributes))).toEqual([2, 3, 5, 6]);
  expect(evaluate(node("slice", [vector([1, 2, 3, 4, 5])], { start: [1], stop: [5], step: [3] }))).toEqual([2, 5]);
  expect(evaluate(node("slice", [matrix], { start: [0, 2], stop: [2, 2], step: [1, 1] }))).toEqual([]);
});

test("pad puts its value before, after and between", () => {
  const padded = node("pad", [constant([2, 2], [1, 2, 3, 4])], {
    low: [1, 0],
    high: [0, 1],
    interior: [0, 2],
    value: 9,
  });
  expect(padded.shape).toEqual([3, 5]);
  expect(evaluate(padded)).toEqual([9, 9, 9, 9, 9, 1, 9, 9, 2, 9, 3, 9, 9, 4, 9]);
  const fromNothing = node("pad", [vector([])], { low: [1], high: [1], interior: [3], value: 5 });
  expect(evaluate(fromNothing)).toEqual([5, 5]);
});

test("flip reverses the axes it is given", () => {
  expect(evaluate(node("flip", [matrix], { axes: [1] }))).toEqual([3, 2, 1, 6, 5, 4]);
  expect(evaluate(node("flip", [matrix], { axes: [0, 1] }))).toEqual([6, 5, 4, 3, 2, 1]);
});

test("window reads at o * stride + k * dilation", () => {
  const windows = node("window", [vector([1, 2, 3, 4, 5, 6, 7])], {
    axes: [0],
    size: [2],
    stride: [2],
    dilation: [3],
  });
  expect(windows.shape).toEqual([2, 2]);
  expect(evaluate(windows)).toEqual([1, 4, 3, 6]);
});

test("window over two of three axes puts its elements last, in the order of the axes", () => {
  const image = sequence([1, 3, 3], (i) => i);
  const windows = node("window", [image], { axes: [1, 2], size: [2, 2], stride: [1, 1], dilation: [1, 1] });
  expect(windows.shape).toEqual([1, 2, 2, 2, 2]);
  expect(evaluate(windows)).toEqual([1, 2, 4, 5, 2, 3, 5, 6, 4, 5, 7, 8, 5, 6, 8, 9]);
});

test("fold is the transpose of window: <window(x), y> = <x, fold(y)>", () => {
  const attributes: OpAttributes["window"] = { axes: [2, 0], size: [2, 3], stride: [2, 1], dilation: [1, 2] };
  const x = sequence([7, 2, 5], Math.sin);
  const windows: Node = node("window", [x], attributes);
  const y = sequence(windows.shape, Math.cos);
  const folded = node("fold", [y], attributes, { shape: x.shape, dtype: "float64" });
  const inner = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  expect(inner(evaluate(windows), evaluate(y))).toBeCloseTo(inner(evaluate(x), evaluate(folded)), 12);
});

test("fold adds where windows overlap", () => {
  const y = constant([2, 2], [1, 2, 10, 20]);
  const attributes = { axes: [0], size: [2], stride: [1], dilation: [1] };
  expect(evaluate(node("fold", [y], attributes, { shape: [4], dtype: "float64" }))).toEqual([1, 12, 20, 0]);
});

test("concat joins along any axis", () => {
  const wide = constant([2, 1], [8, 9]);
  expect(evaluate(node("concat", [matrix, wide], { axis: 1 }))).toEqual([1, 2, 3, 8, 4, 5, 6, 9]);
  expect(evaluate(node("concat", [wide, wide], { axis: 0 }))).toEqual([8, 9, 8, 9]);
});
