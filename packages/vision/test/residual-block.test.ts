// The residual block as courses write it: shapes, keys, the shortcut.

import { ResidualBlock } from "@gradus/vision";
import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";

beforeAll(() => gd.init({ threads: 1 }));

describe("the residual block of courses", () => {
  test("halves the image and changes the channels with a 1x1 convolution, under d2l's keys", async () => {
    const block = new ResidualBlock(64, { use1x1Conv: true, strides: 2 });
    const output = block.forward(gd.randn([4, 3, 6, 6]));
    expect(output.shape).toEqual([4, 64, 3, 3]);
    expect((await output.data()).every((value) => value >= 0)).toBe(true);
    const shapes = block.namedParameters().map(([key, { shape }]) => [key, shape]);
    // list(d2l.Residual(64, use_1x1conv=True, strides=2).state_dict()), after one input of 3 channels
    expect(shapes).toEqual([
      ["conv1.weight", [64, 3, 3, 3]],
      ["conv1.bias", [64]],
      ["conv2.weight", [64, 64, 3, 3]],
      ["conv2.bias", [64]],
      ["conv3.weight", [64, 3, 1, 1]],
      ["conv3.bias", [64]],
      ["bn1.weight", [64]],
      ["bn1.bias", [64]],
      ["bn2.weight", [64]],
      ["bn2.bias", [64]],
    ]);
  });

  test("adds what comes in where the shapes are alike", async () => {
    const block = new ResidualBlock(3);
    const x = gd.randn([4, 3, 6, 6]);
    block.eval().forward(x);
    gd.nn.init.zeros_(block.bn2.weight!);
    expect(await block.forward(x).data()).toEqual(await x.relu().data());
  });

  test("says what is missing where they are not", () => {
    expect(() => new ResidualBlock(6).forward(gd.randn([4, 3, 6, 6]))).toThrow(/Pass \{ use1x1Conv: true \}/);
    expect(() => new ResidualBlock(3, { strides: 2 }).forward(gd.randn([4, 3, 6, 6]))).toThrow(gd.ShapeError);
  });
});
