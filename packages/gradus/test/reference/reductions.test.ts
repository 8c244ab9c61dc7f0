import { expect, test } from "vitest";
import { ArgumentError, node } from "../../src/graph/index.ts";
import { constant, evaluate, sequence, vector } from "./evaluate.ts";

const cube = sequence([2, 3, 2], (i) => i);
// z = torch.tensor([[3., nan, 1., 3.], [2., 2., -1., inf]])
const z = constant([2, 4], [3, NaN, 1, 3, 2, 2, -1, Infinity]);

test("sum adds over any axes", () => {
  expect(evaluate(node("sum", [cube], { axes: [1] }))).toEqual([9, 12, 27, 30]);
  expect(evaluate(node("sum", [cube], { axes: [0, 2] }))).toEqual([18, 26, 34]);
  expect(evaluate(node("sum", [cube], { axes: [0, 1, 2] }))).toEqual([78]);
  expect(evaluate(node("sum", [constant([2, 0], [])], { axes: [1] }))).toEqual([0, 0]);
});

test("an integer sum wraps", () => {
  expect(evaluate(node("sum", [vector([2147483647, 2], "int32")], { axes: [0] }))).toEqual([-2147483647]);
});

test("max propagates NaN", () => {
  expect(evaluate(node("max", [z], { axes: [1] }))).toEqual([NaN, Infinity]);
  expect(evaluate(node("max", [cube], { axes: [0, 1] }))).toEqual([11, 12]);
});

test("argmax finds the first of the largest along the flattened axes, NaN the largest", () => {
  // z.argmax(1), z.argmax()
  expect(evaluate(node("argmax", [z], { axes: [1] }))).toEqual([1, 3]);
  expect(evaluate(node("argmax", [z], { axes: [0, 1] }))).toEqual([1]);
  expect(evaluate(node("argmax", [cube], { axes: [0, 1] }))).toEqual([5, 5]);
  expect(evaluate(node("argmax", [vector([-2, -1, -1])], { axes: [0] }))).toEqual([1]);
  expect(evaluate(node("argmax", [vector([1, NaN, NaN])], { axes: [0] }))).toEqual([1]);
});

test("argsort is stable in both directions and puts NaN above all", () => {
  // torch.sort(z, dim=1, stable=True)[1], torch.sort(z, dim=1, stable=True, descending=True)[1]
  expect(evaluate(node("argsort", [z], { axis: 1, descending: false }))).toEqual([2, 0, 3, 1, 2, 0, 1, 3]);
  expect(evaluate(node("argsort", [z], { axis: 1, descending: true }))).toEqual([1, 0, 3, 2, 3, 0, 1, 2]);
  const columns = constant([3, 2], [3, 1, 1, 2, 2, 3]);
  expect(evaluate(node("argsort", [columns], { axis: 0, descending: false }))).toEqual([1, 0, 2, 1, 0, 2]);
});

test("cumsum adds along its axis", () => {
  expect(evaluate(node("cumsum", [cube], { axis: 1 }))).toEqual([1, 2, 4, 6, 9, 12, 7, 8, 16, 18, 27, 30]);
  expect(evaluate(node("cumsum", [cube], { axis: 0 }))).toEqual([1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18]);
});

test("gather reads at an index along one axis", () => {
  const x = sequence([2, 3], (i) => 10 * i);
  const index = constant([2, 2], [2, 0, 1, 1], "int32");
  expect(evaluate(node("gather", [x, index], { axis: 1 }))).toEqual([30, 10, 50, 50]);
  const rows = constant([1, 3], [1, 0, 1], "int32");
  expect(evaluate(node("gather", [x, rows], { axis: 0 }))).toEqual([40, 20, 60]);
});

test("scatterAdd adds at an index, as often as the index names it", () => {
  const base = constant([2, 3], [1, 1, 1, 1, 1, 1]);
  const index = constant([2, 2], [2, 2, 0, 1], "int32");
  const source = constant([2, 2], [10, 20, 30, 40]);
  expect(evaluate(node("scatterAdd", [base, index, source], { axis: 1 }))).toEqual([1, 1, 31, 31, 41, 1]);
});

test("an index out of range is refused, and a negative one is", () => {
  const x = vector([1, 2, 3]);
  const gather = (entry: number) => evaluate(node("gather", [x, vector([entry], "int32")], { axis: 0 }));
  expect(() => gather(3)).toThrow("gather: index 3 is out of range for dimension 0 of size 3");
  expect(() => gather(-1)).toThrow(ArgumentError);
  const scatter = () => evaluate(node("scatterAdd", [x, vector([5], "int32"), vector([1])], { axis: 0 }));
  expect(scatter).toThrow(ArgumentError);
});
