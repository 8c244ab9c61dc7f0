// Which graphs share a program: those that do the same, whatever they do it with; and no others.

import * as gd from "gradus";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { clearInterned, depthFirstOrder, type Node } from "../../src/graph/index.ts";
import { describeStructure, type Program, Programs, type Structure, structureOf } from "../../src/tensor/programs.ts";
import { useDevice } from "../support/device.ts";

beforeAll(useDevice);
afterEach(clearInterned);

/** The structure of what computes these tensors. */
function structure(...tensors: readonly gd.Tensor[]): Structure {
  const outputs = tensors.map(({ node }) => node);
  return structureOf(
    depthFirstOrder(outputs, ({ value }: Node) => value !== null),
    outputs,
  );
}

const vector = (...values: number[]): gd.Tensor => gd.tensor(Float32Array.from(values));

/** Makes a graph from two vectors and a scalar. */
type Graph = (a: gd.Tensor, b: gd.Tensor, rate: gd.Tensor) => readonly gd.Tensor[];

const graphs: { readonly [name: string]: Graph } = {
  sum: (a, b) => [a.add(b)],
  "sum of the same": (a) => [a.add(a)],
  difference: (a, b) => [a.sub(b)],
  "two steps": (a, b) => [a.sub(b).mul(a)],
  "two steps, wired otherwise": (a, b) => [a.sub(b).mul(b)],
  "two outputs": (a, b) => [a.sub(b), a.sub(b).mul(b)],
  "two outputs in the other order": (a, b) => [a.sub(b).mul(b), a.sub(b)],
  "a constant": (a) => [a.mul(0)],
  "another constant": (a) => [a.mul(-0)],
  "a scalar": (a, _b, rate) => [a.mul(rate)],
  "two joined": (a, b) => [gd.cat([a, b])],
  "three joined": (a, b) => [gd.cat([a, b, a.narrow(0, 0, 0)])],
  "a sum over a dimension": (a) => [a.reshape([2, 2]).sum(0)],
  "a sum over another": (a) => [a.reshape([2, 2]).sum(1)],
};

describe("the structure of a graph", () => {
  const make = (graph: Graph, first: number): Structure =>
    structure(...graph(vector(first, 2, 3, 4), vector(5, 6, 7, first), gd.scalar(first)));

  test.each(Object.keys(graphs))("does not show the data: %s", (name) => {
    const [one, other] = [make(graphs[name], 1), make(graphs[name], 8)];
    expect(other).toEqual(one);
  });

  test("differs for graphs that differ", () => {
    const structures = Object.values(graphs).map((graph) => make(graph, 1).numbers.join());
    expect(new Set(structures).size).toBe(structures.length);
  });

  test("differs where data has another shape or dtype", () => {
    const double = (x: gd.Tensor): string => structure(x.add(x)).numbers.join();
    const inputs = [vector(1, 2), vector(1, 2, 3), vector(1, 2).to("int32"), gd.tensor([[1, 2]])];
    expect(new Set(inputs.map(double)).size).toBe(inputs.length);
  });

  test("can be told, a line a node", () => {
    const [a, b] = [vector(1, 2), vector(3, 4)];
    const outputs = [a.sub(b).mul(0.5).node];
    const order = depthFirstOrder(outputs, ({ value }) => value !== null);
    expect(describeStructure(order, outputs)).toEqual([
      "in:float32[2]",
      "in:float32[2]",
      "binary:float32[2] fn=sub,0,1",
      "full:float32[2] value=0.5",
      "binary:float32[2] fn=mul,2,3",
      "=> 4",
    ]);
  });
});

describe("programs", () => {
  const numbered = (...numbers: number[]): Structure => ({ numbers, hash: 1 });

  test("of structures of one hash are told apart", () => {
    const programs = new Programs(8, () => undefined);
    const [one, other, longer] = [numbered(1, 2), numbered(2, 1), numbered(1, 2, 3)].map((s) => programs.get(s));
    expect(new Set([one, other, longer]).size).toBe(3);
    expect(programs.get(numbered(1, 2))).toBe(one);
    expect(programs.get(numbered(2, 1))).toBe(other);
  });

  test("that were used longest ago have to go", () => {
    const forgotten: Program[] = [];
    const programs = new Programs(3, (program) => forgotten.push(program));
    const [first, second, third] = [1, 2, 3].map((i) => programs.get(numbered(i)));
    programs.get(numbered(1));
    programs.get(numbered(4));
    expect(forgotten).toEqual([second]);
    expect(programs.get(numbered(3))).toBe(third);
    expect(programs.get(numbered(1))).toBe(first);
    programs.get(numbered(5));
    expect(forgotten.map(({ structure: { numbers } }) => numbers)).toEqual([[2], [4]]);
    expect(programs.get(numbered(2))).not.toBe(second);
  });
});
