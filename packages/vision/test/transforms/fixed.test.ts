// Transforms that draw nothing: what they are made of, shapes, and what they refuse. Their values are compared with
// torchvision's in golden.test.ts.

import { gridSample, toTensor, transforms } from "@gradus/vision";
import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";

beforeAll(() => gd.init({ threads: 1 }));

const { functional } = transforms;

describe("toTensor", () => {
  test("puts channels first and bytes between 0 and 1", async () => {
    const bytes = Uint8Array.from({ length: 2 * 3 * 4 }, (_, i) => (i * 53) % 256);
    const image = toTensor({ data: bytes, shape: [2, 3, 4] });
    expect([image.shape, image.dtype]).toEqual([[4, 2, 3], "float32"]);
    const expected = [0, 1, 2, 3].flatMap((channel) =>
      Array.from({ length: 6 }, (_, pixel) => Math.fround(bytes[pixel * 4 + channel] / 255)),
    );
    expect([...(await image.data())]).toEqual(expected);
  });

  test("takes gray images, batches, and tensors of bytes", async () => {
    const bytes = Uint8Array.of(0, 51, 102, 255, 153, 204);
    const gray = toTensor({ data: bytes, shape: [2, 3] });
    expect(gray.shape).toEqual([1, 2, 3]);
    expect(await gray.mul(5).round().toArray()).toEqual([
      [
        [0, 1, 2],
        [5, 3, 4],
      ],
    ]);
    expect(toTensor({ data: bytes, shape: [1, 2, 3, 1] }).shape).toEqual([1, 1, 2, 3]);
    expect(await toTensor(gd.tensor(bytes).reshape([2, 3])).data()).toEqual(await gray.data());
  });

  test("refuses floats and lists", () => {
    expect(() => toTensor(gd.zeros([2, 2]))).toThrow(/made of bytes \(given float32\)/);
    expect(() => toTensor({ data: Uint8Array.of(1), shape: [1] })).toThrow(gd.ShapeError);
  });
});

test("resize takes the nearest pixel where float32 rounds its place down, as PyTorch does", async () => {
  // torch.nn.functional.interpolate(torch.tensor([[[[0.0, 1.0]]]]), size=(1, 82))[0, 0, 0, 40:43]: 41 * float32(2 / 82) < 1
  const resized = functional.resize(gd.tensor([0, 1]).reshape([1, 1, 1, 2]), [1, 82], { interpolation: "nearest" });
  expect([...(await resized.data())].slice(40, 43)).toEqual([0, 0, 1]);
});

describe("modules", () => {
  test("are as their functions", async () => {
    const images = gd.rand([2, 3, 6, 9]);
    const pairs: [gd.nn.Module, gd.Tensor][] = [
      [new transforms.Normalize([0.1, 0.2, 0.3], 0.5), functional.normalize(images, [0.1, 0.2, 0.3], 0.5)],
      [new transforms.Resize([4, 5]), functional.resize(images, [4, 5])],
      [
        new transforms.Resize(4, { interpolation: "nearest" }),
        functional.resize(images, 4, { interpolation: "nearest" }),
      ],
      [new transforms.CenterCrop(4), functional.centerCrop(images, 4)],
      [new transforms.Pad([1, 2], { paddingMode: "edge" }), functional.pad(images, [1, 2], { paddingMode: "edge" })],
      [new transforms.Grayscale(3), functional.rgbToGrayscale(images, 3)],
    ];
    for (const [module, expected] of pairs) {
      const actual = module.forward(images);
      expect(actual.shape).toEqual(expected.shape);
      expect(await actual.data()).toEqual(await expected.data());
      const image = module.forward(images.select(0, 1));
      expect(await image.data()).toEqual(await expected.select(0, 1).data());
    }
  });

  test("are run in order by Compose, which prints them", async () => {
    const compose = new transforms.Compose([
      new transforms.CenterCrop(2),
      new transforms.Lambda((x) => x.add(1)),
      new transforms.Normalize(0.5, 2),
    ]);
    const images = gd.rand([1, 1, 4, 4]);
    const expected = images.narrow(2, 1, 2).narrow(3, 1, 2).add(1).sub(0.5).div(2);
    expect(await compose.forward(images).data()).toEqual(await expected.data());
    expect(compose.parameters()).toEqual([]);
    expect([...compose.stateDict()]).toEqual([]);
    expect(String(compose)).toBe(
      "Compose(\n  (0): CenterCrop([2, 2])\n  (1): Lambda()\n  (2): Normalize(mean=0.5, std=2)\n)",
    );
  });

  test("pass gradients on", async () => {
    const images = gd.rand([2, 3, 6, 6]).requiresGrad_();
    const chain = new transforms.Compose([
      new transforms.RandomAffine(10, { interpolation: "bilinear" }),
      new transforms.RandomCrop(4),
      new transforms.Resize(5),
    ]);
    chain.forward(images).sum().backward();
    const gradient = [...(await images.grad!.data())];
    expect(gradient.some((value) => value > 0)).toBe(true);
    expect(gradient.every(Number.isFinite)).toBe(true);
  });
});

describe("refused, with a word what to do:", () => {
  const images = (): gd.Tensor => gd.rand([2, 3, 6, 6]);

  test.each([
    ["vectors", () => new transforms.RandomHorizontalFlip().forward(gd.rand([3])), /4 dimensions or 3, not 1/],
    ["bytes", () => new transforms.Resize(3).forward(gd.zeros([1, 3, 4, 4], { dtype: "uint8" })), /toTensor/],
    [
      "a crop larger than the image",
      () => new transforms.RandomCrop(9, { padding: 1 }).forward(images()),
      /9x9 .* 8x8/,
    ],
    ["a size of half a pixel", () => new transforms.CenterCrop(2.5), /2.5 is no size/],
    ["a size of three sides", () => new transforms.Resize([1, 2, 3] as never), /\[1, 2, 3\] is no size/],
    ["three margins", () => new transforms.Pad([1, 2, 3] as never), /\[1, 2, 3\] are no margins/],
    ["a negative margin", () => new transforms.RandomCrop(3, { padding: -1 }), /-1 are no margins/],
    [
      "a padding of every object",
      () => new transforms.Pad(1, { paddingMode: "toString" as never }),
      /"toString" is no/,
    ],
    [
      "a cubic grid",
      () => gridSample(images(), gd.zeros([2, 1, 1, 2]), { mode: "bicubic" as never }),
      /"bicubic" is no interpolation/,
    ],
    [
      "a grid of zeroes",
      () => gridSample(images(), gd.zeros([2, 1, 1, 2]), { paddingMode: "edge" as never }),
      /"edge" is no padding mode\. Use one of "zeros", "border", "reflection"/,
    ],
    ["a cubic turn", () => functional.rotate(images(), 3, { interpolation: "bicubic" as never }), /"bicubic"/],
    ["an unknown padding", () => new transforms.Pad(1, { paddingMode: "wrap" as never }), /"wrap" is no padding mode/],
    ["reflecting too much", () => functional.pad(images(), 6, { paddingMode: "reflect" }), /reflect more than/],
    ["a probability of 2", () => new transforms.RandomVerticalFlip(2), /2 is no probability/],
    ["a deviation of 0", () => new transforms.Normalize([0, 0], [1, 0]), /normalize nothing/],
    ["two means for three channels", () => new transforms.Normalize([0, 0], 1).forward(images()), /2 channels.*have 3/],
    [
      "two fills for three channels",
      () => new transforms.RandomCrop(3, { padding: 1, fill: [1, 2] }).forward(images()),
      /fill/,
    ],
    ["negative degrees", () => new transforms.RandomRotation(-3), /degrees -3 is no range/],
    ["degrees from high to low", () => new transforms.RandomAffine([3, 1]), /degrees \[3, 1\] is no interval/],
    ["moving beyond the image", () => new transforms.RandomAffine(0, { translate: [0.5, 1.5] }), /translate/],
    ["a scale of 0", () => new transforms.RandomAffine(0, { scale: [0, 1] }), /scale \[0, 1\]/],
    [
      "a cubic interpolation",
      () => new transforms.RandomRotation(3, { interpolation: "bicubic" as never }),
      /"bicubic"/,
    ],
    ["a cubic Resize", () => new transforms.Resize(3, { interpolation: "bicubic" as never }), /"bicubic"/],
    [
      "a cubic resized crop",
      () => new transforms.RandomResizedCrop(3, { interpolation: "bicubic" as never }),
      /"bicubic"/,
    ],
    ["a cubic resize", () => functional.resize(images(), 3, { interpolation: "bicubic" as never }), /"bicubic"/],
    ["a negative brightness", () => new transforms.ColorJitter({ brightness: -1 }), /brightness -1 is no range/],
    ["a hue beyond the circle", () => new transforms.ColorJitter({ hue: 0.6 }), /hue \[-0.6, 0.6\].*0.5/],
    ["two channels as colours", () => functional.adjustHue(gd.rand([1, 2, 3, 3]), 0.1), /2 channels are neither/],
    ["a factor too many", () => functional.adjustContrast(images(), gd.rand([3])), /3 factors are not one for each/],
    ["an angle too many", () => functional.rotate(images(), gd.rand([3])), /3 parameters are not one for each/],
    ["erasing more than all", () => new transforms.RandomErasing({ scale: [0.5, 1.5] }), /scale \[0.5, 1.5\]/],
    ["erasing with a word", () => new transforms.RandomErasing({ value: "noise" as never }), /"noise" is no value/],
    ["an even kernel", () => new transforms.GaussianBlur(4), /a kernel of 4 has no middle/],
    ["a sigma of 0", () => new transforms.GaussianBlur(3, { sigma: 0 }), /sigma \[0, 0\]/],
    ["four gray channels", () => new transforms.Grayscale(4 as never), /4 channels cannot be made/],
    ["no function", () => new transforms.Lambda(3 as never), /3 is no function/],
    [
      "applying what changes the shape to some",
      () => new transforms.RandomApply([new transforms.CenterCrop(3)]).forward(images()),
      /change the shape/,
    ],
  ])("%s", (_, act, message) => {
    expect(act).toThrow(gd.GradusError);
    expect(act).toThrow(message);
  });
});
