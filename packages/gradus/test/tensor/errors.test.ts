// Errors are part of the API: their class tells what kind, their message carries the operation and the numbers, and says
// what to do.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import { useDevice } from "../support/device.ts";

beforeAll(useDevice);

type ErrorClass = abstract new (...args: never[]) => Error;

interface ErrorCase {
  readonly title: string;
  readonly act: () => unknown;
  readonly kind: ErrorClass;
  /** What the message must hold: the operation, the numbers. */
  readonly says: readonly string[];
}

const x = () => gd.ones([2, 3]);

const cases: readonly ErrorCase[] = [
  {
    title: "operands that do not broadcast",
    act: () => x().add(gd.ones([2, 4])),
    kind: gd.ShapeError,
    says: ["add", "[2, 3]", "[2, 4]", "-1"],
  },
  {
    title: "a comparison that does not broadcast",
    act: () => x().lt(gd.ones([4])),
    kind: gd.ShapeError,
    says: ["lt", "[2, 3]", "[4]"],
  },
  {
    title: "a where that does not broadcast",
    act: () => gd.where(gd.tensor([true, false]), x(), 0),
    kind: gd.ShapeError,
    says: ["where", "[2, 3]", "[2]"],
  },
  {
    title: "inner dimensions that differ",
    act: () => x().matmul(gd.ones([2, 3])),
    kind: gd.ShapeError,
    says: ["matmul", "[2, 3]", "3 and 2"],
  },
  {
    title: "a matrix product of scalars",
    act: () => gd.tensor(1).matmul(gd.tensor(2)),
    kind: gd.ShapeError,
    says: ["matmul", "[]"],
  },
  { title: "dot of matrices", act: () => x().dot(x()), kind: gd.ShapeError, says: ["dot", "[2, 3]", "matmul()"] },
  {
    title: "an einsum with too few operands",
    act: () => gd.einsum("ij,jk->ik", x()),
    kind: gd.ArgumentError,
    says: ["einsum", "2 operands", "1 were given"],
  },
  {
    title: "an einsum with too few letters",
    act: () => gd.einsum("i->i", x()),
    kind: gd.ShapeError,
    says: ["einsum", '"i"', "[2, 3]"],
  },
  {
    title: "an einsum whose letters disagree",
    act: () => gd.einsum("ij,ij->i", x(), gd.ones([2, 4])),
    kind: gd.ShapeError,
    says: ["[2, 3]", "[2, 4]"],
  },
  {
    title: "an einsum that names what is not there",
    act: () => gd.einsum("ij->k", x()),
    kind: gd.ArgumentError,
    says: ["einsum", '"k"'],
  },
  { title: "a reshape", act: () => x().reshape(4, 2), kind: gd.ShapeError, says: ["reshape", "[2, 3]", "[4, 2]"] },
  {
    title: "a reshape with -1 that does not divide",
    act: () => x().reshape(4, -1),
    kind: gd.ShapeError,
    says: ["reshape", "[2, 3]", "[4, -1]"],
  },
  { title: "a reshape with two -1", act: () => x().reshape(-1, -1), kind: gd.ShapeError, says: ["reshape", "-1"] },
  { title: "an expand", act: () => x().expand(4, 3), kind: gd.ShapeError, says: ["expand", "[2, 3]", "[4, 3]"] },
  {
    title: "an expand to fewer dimensions",
    act: () => x().expand(3),
    kind: gd.ShapeError,
    says: ["expand", "[2, 3]", "[3]"],
  },
  {
    title: "a permutation that is none",
    act: () => x().permute(0, 0),
    kind: gd.ArgumentError,
    says: ["permute", "[0, 0]", "2 dimensions"],
  },
  { title: "a dimension that is not there", act: () => x().sum(2), kind: gd.ArgumentError, says: ["sum", "2"] },
  {
    title: "a dimension named twice",
    act: () => x().sum([0, -2]),
    kind: gd.ArgumentError,
    says: ["sum", "more than once"],
  },
  {
    title: "softmax along no dimension",
    act: () => x().softmax(5),
    kind: gd.ArgumentError,
    says: ["5", "2 dimensions"],
  },
  { title: "t of three dimensions", act: () => gd.ones([1, 2, 3]).t(), kind: gd.ShapeError, says: ["t:", "[1, 2, 3]"] },
  {
    title: "narrow beyond the end",
    act: () => x().narrow(1, 2, 2),
    kind: gd.ArgumentError,
    says: ["narrow", "2 elements from 2", "3"],
  },
  { title: "an unfold that is too long", act: () => x().unfold(1, 4, 1), kind: gd.ShapeError, says: ["unfold", "4"] },
  { title: "a pad of an odd count", act: () => x().pad([1, 2, 3]), kind: gd.ArgumentError, says: ["pad", "3"] },
  {
    title: "split lengths that do not add up",
    act: () => x().split([1, 1], 1),
    kind: gd.ArgumentError,
    says: ["split", "2", "3"],
  },
  {
    title: "cat of different shapes",
    act: () => gd.cat([x(), gd.ones([2, 3, 1])]),
    kind: gd.ShapeError,
    says: ["cat", "[2, 3]", "[2, 3, 1]"],
  },
  { title: "cat of nothing", act: () => gd.cat([]), kind: gd.ArgumentError, says: ["cat", "nothing"] },
  {
    title: "stack of different shapes",
    act: () => gd.stack([x(), gd.ones([2])]),
    kind: gd.ShapeError,
    says: ["stack", "[2, 3]", "[2]"],
  },
  { title: "an index out of range", act: () => x().index(0, 3), kind: gd.ArgumentError, says: ["index 3", "size 3"] },
  { title: "too many indices", act: () => x().index(0, 0, 0), kind: gd.ArgumentError, says: ["3", "2"] },
  { title: "a slice that is none", act: () => x().index("a:b"), kind: gd.ArgumentError, says: ['"a:b"'] },
  { title: "a step of 0", act: () => x().index("::0"), kind: gd.ArgumentError, says: ["step", "0"] },
  {
    title: "an index of floats",
    act: () => x().index(gd.tensor([0.5])),
    kind: gd.DTypeError,
    says: ["index", "float32"],
  },
  {
    title: "a gather whose index has another shape",
    act: () => x().gather(1, gd.zeros([3, 1], { dtype: "int32" })),
    kind: gd.ShapeError,
    says: ["gather", "[2, 3]", "[3, 1]"],
  },
  { title: "the maximum of nothing", act: () => gd.ones([2, 0]).amax(1), kind: gd.ShapeError, says: ["max", "[2, 0]"] },
  { title: "the negative of a bool", act: () => gd.tensor([true]).neg(), kind: gd.DTypeError, says: ["neg", "bool"] },
  { title: "topk of more than there is", act: () => x().topk(4), kind: gd.ArgumentError, says: ["topk", "4", "3"] },
  { title: "ragged arrays", act: () => gd.tensor([[1, 2], [3]]), kind: gd.ShapeError, says: ["tensor", "ragged"] },
  {
    title: "a reshape to negative sizes",
    act: () => x().reshape(-2, -3),
    kind: gd.ArgumentError,
    says: ["reshape", "-2"],
  },
  { title: "a reshape to fractions", act: () => x().reshape(1.5, 4), kind: gd.ArgumentError, says: ["reshape", "1.5"] },
  { title: "-1 for a new dimension", act: () => x().expand(-1, 2, 3), kind: gd.ArgumentError, says: ["expand", "-1"] },
  { title: "an unfold of no step", act: () => x().unfold(1, 2, 0), kind: gd.ArgumentError, says: ["unfold", "0"] },
  { title: "half a place to roll", act: () => x().roll(0.5, 1), kind: gd.ArgumentError, says: ["roll", "0.5"] },
  {
    title: "half an element to narrow",
    act: () => x().narrow(1, 0.5, 1),
    kind: gd.ArgumentError,
    says: ["narrow", "0.5"],
  },
  { title: "half an element to slice", act: () => x().slice(1, 0.5), kind: gd.ArgumentError, says: ["slice", "0.5"] },
  { title: "cropping more than there is", act: () => x().pad([-2, -2]), kind: gd.ShapeError, says: ["pad", "[2, 3]"] },
  { title: "pieces of a size and a half", act: () => x().split(1.5), kind: gd.ArgumentError, says: ["split", "1.5"] },
  { title: "no chunks", act: () => x().chunk(0), kind: gd.ArgumentError, says: ["chunk", "0"] },
  {
    title: "cat of scalars",
    act: () => gd.cat([gd.tensor(1), gd.tensor(2)]),
    kind: gd.ArgumentError,
    says: ["cat", "stack"],
  },
  { title: "two ellipses", act: () => x().index("...", "..."), kind: gd.ArgumentError, says: ["index", '"..."'] },
  {
    title: "a bool index of another shape",
    act: () => x().index(gd.tensor([true, false, true])),
    kind: gd.ShapeError,
    says: ["index", "[3]", "[2]"],
  },
  {
    title: "a scatterAdd of another dtype",
    act: () => x().scatterAdd(1, gd.zeros([2, 3], { dtype: "int32" }), gd.ones([2, 3], { dtype: "float64" })),
    kind: gd.DTypeError,
    says: ["scatterAdd", "float32", "float64"],
  },
  {
    title: "random numbers of a negative size",
    act: () => gd.rand([-1]),
    kind: gd.ArgumentError,
    says: ["random", "-1"],
  },
  { title: "an eye of a negative size", act: () => gd.eye(-1), kind: gd.ArgumentError, says: ["eye", "-1"] },
  {
    title: "an endless arange",
    act: () => gd.arange(0, Infinity),
    kind: gd.ArgumentError,
    says: ["arange", "Infinity"],
  },
  { title: "a negative size", act: () => gd.zeros([2, -1]), kind: gd.ArgumentError, says: ["-1"] },
  { title: "a step of 0 in arange", act: () => gd.arange(0, 5, 0), kind: gd.ArgumentError, says: ["arange"] },
  {
    title: "half a step in linspace",
    act: () => gd.linspace(0, 1, 2.5),
    kind: gd.ArgumentError,
    says: ["linspace", "2.5"],
  },
  { title: "item of several elements", act: () => x().itemSync(), kind: gd.ReadError, says: ["item", "[2, 3]", "6"] },
  {
    title: "an unknown device",
    act: () => gd.init({ device: "abacus" as never }),
    kind: gd.ArgumentError,
    says: ["abacus", "cpu"],
  },
  { title: "no threads", act: () => gd.init({ threads: 0 }), kind: gd.ArgumentError, says: ["0", "thread"] },
];

describe("errors", () => {
  for (const { title, act, kind, says } of cases) {
    test(`${title}: ${kind.name}`, () => {
      let caught: unknown = null;
      try {
        act();
      } catch (error) {
        caught = error;
      }
      expect(caught).toBeInstanceOf(kind);
      const error = caught as Error;
      expect(error).toBeInstanceOf(gd.GradusError);
      expect(error.name).toBe(kind.name);
      for (const part of says) expect(error.message).toContain(part);
    });
  }

  test("item of several elements rejects, as what is read does", async () => {
    await expect(x().item()).rejects.toThrow(gd.ReadError);
  });
});
