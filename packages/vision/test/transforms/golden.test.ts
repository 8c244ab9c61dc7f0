// Transforms with given parameters agree with torchvision, and sampling at the points of a grid with PyTorch, gradients
// included. The golden data are made by tools/golden_vision.py.

import { affineGrid, gridSample, transforms } from "@gradus/vision";
import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import { expectClose } from "../../../gradus/test/support/compare.ts";
import { numbersOf, type StoredTensor, tensorOf } from "../../../gradus/test/support/golden.ts";
import golden from "../golden/transforms.json";

interface TransformCase {
  readonly op: keyof typeof transforms.functional;
  readonly images: StoredTensor;
  readonly args: readonly unknown[];
  readonly output: StoredTensor;
}

interface GridCase {
  readonly op: "affineGrid" | "gridSample";
  readonly inputs: readonly StoredTensor[];
  readonly args: readonly unknown[];
  readonly output: StoredTensor;
  readonly seed?: StoredTensor;
  readonly gradients?: readonly StoredTensor[];
}

const cases = golden as unknown as {
  readonly transforms: readonly TransformCase[];
  readonly grids: readonly GridCase[];
};

// float32 carries 24 bits; positions within these images are off by some 1e-6 of a pixel, and so are the values between
// two pixels.
const tolerance = { rtol: 1e-5, atol: 1e-7, scaled: 3e-6 };

beforeAll(() => gd.init({ threads: 1 }));

async function expectTensor(actual: gd.Tensor, expected: StoredTensor, what: string): Promise<void> {
  expect(actual.shape, what).toEqual(expected.shape);
  expectClose(await actual.data(), numbersOf(expected.data), tolerance, what);
}

/** Arguments, with tensors for what was stored. */
function revived(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revived);
  if (typeof value !== "object" || value === null) return value;
  if ("dtype" in value) return tensorOf(value as StoredTensor);
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, revived(entry)]));
}

type Function = (images: gd.Tensor, ...args: readonly unknown[]) => gd.Tensor;

const short = (args: readonly unknown[]): string =>
  JSON.stringify(args, (_, value) => (value?.dtype ? `tensor ${value.data.join(" ")}` : value));

describe("as torchvision's:", () => {
  test.each(
    cases.transforms.map((row) => [`${row.op} of [${row.images.shape.join()}] by ${short(row.args)}`, row] as const),
  )("%s", async (title, { op, images, args, output }) => {
    const run = transforms.functional[op] as unknown as Function;
    await expectTensor(run(tensorOf(images), ...(revived(args) as unknown[])), output, title);
  });
});

describe("as PyTorch's:", () => {
  test.each(cases.grids.map((row) => [`${row.op} by ${short(row.args)}`, row] as const))("%s", async (title, row) => {
    const inputs = row.inputs.map((input) => tensorOf(input, true));
    const run = (row.op === "affineGrid" ? affineGrid : gridSample) as unknown as Function;
    const output = run(...([...inputs, ...row.args] as [gd.Tensor]));
    await expectTensor(output, row.output, title);
    if (row.seed === undefined) return;
    output.mul(tensorOf(row.seed)).sum().backward();
    for (const [i, expected] of row.gradients!.entries()) {
      const actual = inputs[i].grad ?? gd.zerosLike(inputs[i]);
      await expectTensor(actual, expected, `gradient ${i} of ${title}`);
    }
  });
});
