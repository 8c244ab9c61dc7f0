// Convolutions and transposed convolutions of every geometry agree with the reference interpreter, values and gradients.
// Where an image is dilated the compiler takes the convolution apart by phases, and how many there are, where they begin
// and which kernel elements each has depends on all the numbers of a geometry.
//
// GRADUS_TEST_SEED and GRADUS_TEST_RUNS look further than the fixed seed does.

import fc from "fast-check";
import * as gd from "gradus";
import { beforeAll, describe, test, vi } from "vitest";
import { expectClose } from "../support/compare.ts";
import { numberSetting, useDevice } from "../support/device.ts";
import { weightedSum } from "../support/golden.ts";
import { trueValues } from "../support/reference.ts";

const { F } = gd;

const seed = numberSetting("GRADUS_TEST_SEED", 20250917);
const numRuns = numberSetting("GRADUS_TEST_RUNS", 25);

beforeAll(async () => {
  await useDevice();
  // Many different programs are the point here; the engine would warn of them.
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
});

/** One spatial axis. */
interface Axis {
  readonly size: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
  readonly outputPadding: number;
}

interface Geometry {
  readonly batch: number;
  readonly groups: number;
  /** Channels of a group, before and after. */
  readonly inputs: number;
  readonly outputs: number;
  readonly axes: readonly Axis[];
}

const axis: fc.Arbitrary<Axis> = fc
  .record({
    size: fc.integer({ min: 1, max: 9 }),
    kernel: fc.integer({ min: 1, max: 5 }),
    stride: fc.integer({ min: 1, max: 4 }),
    padding: fc.nat({ max: 4 }),
    dilation: fc.constantFrom(1, 1, 2),
    outputPadding: fc.nat({ max: 3 }),
  })
  // What PyTorch asks of padding on the output.
  .map((chosen) => ({
    ...chosen,
    outputPadding: chosen.outputPadding % Math.max(chosen.stride, chosen.dilation),
  }));

const geometry: fc.Arbitrary<Geometry> = fc.record({
  batch: fc.integer({ min: 1, max: 3 }),
  groups: fc.constantFrom(1, 1, 2),
  inputs: fc.integer({ min: 1, max: 5 }),
  outputs: fc.integer({ min: 1, max: 5 }),
  axes: fc.tuple(axis, axis),
});

/** Numbers between -1 and 1 that look like chance. */
function leafOf(shape: readonly number[], stream: number): gd.Tensor {
  const size = shape.reduce((product, extent) => product * extent, 1);
  const values = Float32Array.from({ length: size }, (_, i) => Math.sin((i + 1) * 12.9898 + stream * 78.233 + i * i));
  return gd.Tensor.fromArray(values, shape).requiresGrad_();
}

interface Convolution {
  /** Extents of the result along an axis. */
  readonly extent: (axis: Axis) => number;
  readonly weight: (geometry: Geometry) => readonly number[];
  readonly of: (x: gd.Tensor, weight: gd.Tensor, bias: gd.Tensor, geometry: Geometry) => gd.Tensor;
}

const list = (axes: readonly Axis[], name: keyof Axis): [number, number] => [axes[0][name], axes[1][name]];

const convolutions: { readonly [name: string]: Convolution } = {
  "a convolution": {
    extent: ({ size, kernel, stride, padding, dilation }) =>
      Math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1,
    weight: ({ groups, inputs, outputs, axes }) => [groups * outputs, inputs, ...list(axes, "kernel")],
    of: (x, weight, bias, { groups, axes }) =>
      F.conv2d(x, weight, bias, {
        stride: list(axes, "stride"),
        padding: list(axes, "padding"),
        dilation: list(axes, "dilation"),
        groups,
      }),
  },
  "a transposed convolution": {
    extent: ({ size, kernel, stride, padding, dilation, outputPadding }) =>
      (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + outputPadding + 1,
    weight: ({ groups, inputs, outputs, axes }) => [groups * inputs, outputs, ...list(axes, "kernel")],
    of: (x, weight, bias, { groups, axes }) =>
      F.convTranspose2d(x, weight, bias, {
        stride: list(axes, "stride"),
        padding: list(axes, "padding"),
        dilation: list(axes, "dilation"),
        outputPadding: list(axes, "outputPadding"),
        groups,
      }),
  },
};

async function check({ of, weight }: Convolution, chosen: Geometry): Promise<void> {
  const { batch, groups, inputs, outputs, axes } = chosen;
  const shapes = [[batch, groups * inputs, ...list(axes, "size")], weight(chosen), [groups * outputs]];
  const leaves = shapes.map(leafOf);
  const value = of(leaves[0], leaves[1], leaves[2], chosen);
  const total = weightedSum([value], 37, 11, 5)!;
  const tensors = [value, ...gd.grad(total, leaves)];
  const expected = trueValues(tensors);
  await gd.flush(...tensors);
  for (const [i, tensor] of tensors.entries()) {
    // Sums of up to some hundred products of float32 numbers, in another order.
    expectClose(
      await tensor.data(),
      expected[i],
      { rtol: 1e-5, scaled: 1e-5 },
      ["value", "image", "weight", "bias"][i],
    );
  }
}

describe.each(Object.entries(convolutions))("%s", (_, convolution) => {
  test("agrees with the reference whatever its geometry", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(geometry, async (chosen) => {
        fc.pre(chosen.axes.every((one) => convolution.extent(one) >= 1));
        await check(convolution, chosen);
      }),
      { seed, numRuns },
    );
  });

  test("agrees with the reference where more is cropped than there is", { timeout: 60_000 }, async () => {
    const point: Axis = { size: 1, kernel: 5, stride: 5, padding: 2, dilation: 1, outputPadding: 4 };
    await check(convolution, { batch: 1, groups: 1, inputs: 1, outputs: 1, axes: [point, point] });
  });

  test("agrees with the reference where there is work for all threads", { timeout: 60_000 }, async () => {
    for (const [size, kernel, stride] of [
      [14, 4, 2],
      [13, 3, 2],
      [15, 5, 3],
    ]) {
      const one: Axis = { size, kernel, stride, padding: 1, dilation: 1, outputPadding: stride - 1 };
      await check(convolution, { batch: 3, groups: 1, inputs: 9, outputs: 10, axes: [one, one] });
    }
  });
});
