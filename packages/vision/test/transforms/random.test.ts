// Transforms that draw: each image by parameters of its own, distributed as they should be, the same from the same seed, and
// in one program however often they run. Bounds are five standard errors, which chance passes once in a million times.

import { transforms, withTransforms } from "@gradus/vision";
import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";

beforeAll(() => gd.init({ threads: 1 }));

const generator = (seed = 1): gd.Generator => new gd.Generator(seed);

/** Images whose pixels are their own numbers, row by row from 1, the same in every channel. */
const numbered = (count: number, channels: number, height: number, width: number): gd.Tensor =>
  gd
    .arange(1, height * width + 1)
    .to("float32")
    .reshape([1, 1, height, width])
    .expand([count, channels, height, width]);

/** What is left of each image, as lists of numbers. */
async function imagesOf(images: gd.Tensor): Promise<number[][]> {
  const values = [...(await images.data())];
  const size = values.length / images.shape[0];
  return Array.from({ length: images.shape[0] }, (_, i) => values.slice(i * size, (i + 1) * size));
}

/** Fails unless a fraction of `count` draws is the probability, within five standard errors. */
function expectFraction(hits: number, count: number, probability: number): void {
  const error = Math.sqrt((probability * (1 - probability)) / count);
  expect(Math.abs(hits / count - probability)).toBeLessThan(5 * error);
}

describe("RandomCrop", () => {
  test("cuts at every place about equally often, each image at its own", async () => {
    const crop = new transforms.RandomCrop([3, 4], { generator: generator() });
    const images = await imagesOf(crop.forward(numbered(4000, 2, 5, 6)));
    const counts = new Map<number, number>();
    for (const image of images) {
      const [first] = image;
      const channel = Array.from({ length: 12 }, (_, i) => first + Math.floor(i / 4) * 6 + (i % 4));
      expect(image).toEqual([...channel, ...channel]);
      counts.set(first, (counts.get(first) ?? 0) + 1);
    }
    expect([...counts.keys()].sort((a, b) => a - b)).toEqual([1, 2, 3, 7, 8, 9, 13, 14, 15]);
    for (const count of counts.values()) expectFraction(count, 4000, 1 / 9);
  });

  test.each([
    ["constant", [-1, -1, 1, 2, 3, 4, -1, -1]],
    ["edge", [1, 1, 1, 2, 3, 4, 4, 4]],
    ["reflect", [3, 2, 1, 2, 3, 4, 3, 2]],
    ["symmetric", [2, 1, 1, 2, 3, 4, 4, 3]],
  ] as const)("pads before: %s", async (paddingMode, padded) => {
    const crop = new transforms.RandomCrop([1, 4], { padding: [2, 0], paddingMode, fill: -1, generator: generator() });
    const rows = new Set((await imagesOf(crop.forward(numbered(100, 1, 1, 4)))).map((row) => row.join()));
    expect(rows).toEqual(new Set([0, 1, 2, 3, 4].map((start) => padded.slice(start, start + 4).join())));
  });

  test("of the whole image leaves it as it is", async () => {
    const images = gd.randn([3, 2, 5, 4]);
    const cropped = new transforms.RandomCrop([5, 4]).forward(images);
    expect(await cropped.data()).toEqual(await images.data());
  });

  test("fills each channel with its own value", async () => {
    const crop = new transforms.RandomCrop([1, 1], { padding: [0, 1, 0, 0], fill: [7, 8], generator: generator() });
    const pixels = new Set((await imagesOf(crop.forward(numbered(50, 2, 1, 1)))).map((pixel) => pixel.join()));
    expect(pixels).toEqual(new Set(["1,1", "7,8"]));
  });
});

describe("RandomResizedCrop", () => {
  test("cuts out parts of areas and proportions in their intervals, and brings them to one size", async () => {
    const options = { scale: [0.1, 0.6], ratio: [0.5, 2], interpolation: "nearest", generator: generator() } as const;
    const crop = new transforms.RandomResizedCrop([64, 64], options);
    // One channel counts rows and the other columns; read to 64 pixels, none of a part's rows is left out.
    const rows = gd.arange(32).to("float32").reshape([1, 1, 32, 1]).expand([300, 1, 32, 40]);
    const columns = gd.arange(40).to("float32").reshape([1, 1, 1, 40]).expand([300, 1, 32, 40]);
    const parts = (await imagesOf(crop.forward(gd.cat([rows, columns], 1)))).map((image) => {
      const [ys, xs] = [image.slice(0, 4096), image.slice(4096)];
      const [top, left] = [ys[0], xs[0]];
      return { top, left, height: ys[4095] - top + 1, width: xs[4095] - left + 1 };
    });
    for (const { height, width } of parts) {
      // Sides are rounded to whole pixels: half a pixel of at least eight.
      expect((height * width) / 1280).toBeGreaterThan(0.1 * 0.87);
      expect((height * width) / 1280).toBeLessThan(0.6 * 1.13);
      expect(width / height).toBeGreaterThan(0.5 * 0.87);
      expect(width / height).toBeLessThan(2 * 1.13);
    }
    expect(new Set(parts.map(({ top }) => top)).size).toBeGreaterThan(15);
    expect(new Set(parts.map(({ left }) => left)).size).toBeGreaterThan(15);
    const area = parts.reduce((sum, { height, width }) => sum + (height * width) / 1280, 0) / 300;
    // Parts that stick out of the image are drawn again, which takes large ones of extreme proportions away.
    expect(area).toBeGreaterThan(0.28);
    expect(area).toBeLessThan(0.38);
  });

  test("takes the middle of an image into which none of ten parts fits", async () => {
    const crop = new transforms.RandomResizedCrop([2, 1], {
      scale: [1, 1],
      ratio: [0.5, 0.5],
      interpolation: "nearest",
    });
    const image = gd.arange(24).to("float32").reshape([1, 1, 2, 12]);
    expect([...(await crop.forward(image).data())]).toEqual([5, 17]);
  });
});

describe("flips", () => {
  test.each([
    ["RandomHorizontalFlip", [3, 2, 1, 6, 5, 4]],
    ["RandomVerticalFlip", [4, 5, 6, 1, 2, 3]],
  ] as const)("%s mirrors its part of the images", async (name, mirrored) => {
    const flip = new transforms[name](0.3, { generator: generator() });
    const images = await imagesOf(flip.forward(numbered(3000, 1, 2, 3)));
    const flipped = images.filter((image) => image.join() === mirrored.join()).length;
    const unchanged = images.filter((image) => image.join() === "1,2,3,4,5,6").length;
    expect(flipped + unchanged).toBe(3000);
    expectFraction(flipped, 3000, 0.3);
  });

  test("with probability 0 and 1 are certain", async () => {
    const [never, always] = [0, 1].map((p) => new transforms.RandomHorizontalFlip(p).forward(numbered(64, 1, 1, 2)));
    expect(new Set((await imagesOf(never)).map(String))).toEqual(new Set(["1,2"]));
    expect(new Set((await imagesOf(always)).map(String))).toEqual(new Set(["2,1"]));
  });
});

/** The center of mass of every image's only channel, from the middle. */
async function centers(images: gd.Tensor): Promise<{ x: number; y: number; mass: number }[]> {
  const [, , height, width] = images.shape;
  return (await imagesOf(images)).map((image) => {
    const mass = image.reduce((sum, value) => sum + value, 0);
    const moment = (position: (i: number) => number): number =>
      image.reduce((sum, value, i) => sum + value * position(i), 0) / mass;
    return {
      x: moment((i) => (i % width) - (width - 1) / 2),
      y: moment((i) => Math.floor(i / width) - (height - 1) / 2),
      mass,
    };
  });
}

/** Images that are black but for a soft spot, at (x, y) from the middle. */
function spots(count: number, side: number, x: number, y: number, radius = 2): gd.Tensor {
  const positions = gd.arange(side).sub((side - 1) / 2);
  const bell = (at: number): gd.Tensor => positions.sub(at).div(radius).square().mul(-0.5).exp();
  return bell(y)
    .reshape([1, 1, side, 1])
    .mul(bell(x).reshape([1, 1, 1, side]))
    .expand([count, 1, side, side]);
}

describe("RandomRotation", () => {
  test("turns each image by an angle of its own, uniform in its interval, counter-clockwise", async () => {
    const rotation = new transforms.RandomRotation([10, 50], { interpolation: "bilinear", generator: generator() });
    const turned = await centers(rotation.forward(spots(400, 33, 8, 0)));
    const angles = turned.map(({ x, y }) => (Math.atan2(-y, x) * 180) / Math.PI);
    // A spot of soft edges, read between pixels, is found to a tenth of a degree.
    expect(Math.min(...angles)).toBeGreaterThan(9.9);
    expect(Math.max(...angles)).toBeLessThan(50.1);
    const mean = angles.reduce((sum, angle) => sum + angle, 0) / angles.length;
    expect(Math.abs(mean - 30)).toBeLessThan((5 * 40) / Math.sqrt(12 * angles.length));
    const deviation = Math.sqrt(angles.reduce((sum, angle) => sum + (angle - mean) ** 2, 0) / angles.length);
    expect(deviation).toBeCloseTo(40 / Math.sqrt(12), -0.5);
  });
});

describe("RandomAffine", () => {
  test("moves by whole pixels within its bounds", async () => {
    const affine = new transforms.RandomAffine(0, { translate: [0.2, 0.1], generator: generator() });
    const moved = await centers(affine.forward(spots(500, 20, 0.5, 0.5, 0.01)));
    const moves = (axis: "x" | "y"): number[] =>
      [...new Set(moved.map((center) => Math.round(center[axis] - 0.5)))].sort((a, b) => a - b);
    expect(moves("x")).toEqual([-4, -3, -2, -1, 0, 1, 2, 3, 4]);
    expect(moves("y")).toEqual([-2, -1, 0, 1, 2]);
  });

  test("scales within its interval", async () => {
    const affine = new transforms.RandomAffine(0, {
      scale: [0.5, 1.5],
      interpolation: "bilinear",
      generator: generator(),
    });
    const scaled = await centers(affine.forward(spots(300, 33, 6, 0)));
    const factors = scaled.map(({ x }) => x / 6);
    expect(Math.min(...factors)).toBeGreaterThan(0.49);
    expect(Math.max(...factors)).toBeLessThan(1.51);
    const mean = factors.reduce((sum, factor) => sum + factor, 0) / factors.length;
    expect(Math.abs(mean - 1)).toBeLessThan(5 / Math.sqrt(12 * factors.length));
  });

  test("shears within its interval: rows move by their height times the tangent", async () => {
    const affine = new transforms.RandomAffine(0, { shear: 20, interpolation: "bilinear", generator: generator() });
    const sheared = await centers(affine.forward(spots(300, 33, 0, 8)));
    const angles = sheared.map(({ x }) => (Math.atan2(x, 8) * 180) / Math.PI);
    expect(Math.min(...angles)).toBeGreaterThan(-20.2);
    expect(Math.max(...angles)).toBeLessThan(20.2);
    expect(Math.max(...angles)).toBeGreaterThan(18);
    expect(Math.min(...angles)).toBeLessThan(-18);
  });

  test("without any change leaves images as they are", async () => {
    const images = gd.randn([2, 3, 7, 6]);
    for (const interpolation of ["nearest", "bilinear"] as const) {
      const same = new transforms.RandomAffine(0, { interpolation }).forward(images);
      expect(await same.data()).toEqual(await images.data());
    }
  });
});

describe("ColorJitter", () => {
  test("draws each factor within its interval", async () => {
    const jitter = new transforms.ColorJitter({ brightness: 0.4, generator: generator() });
    const factors = (await imagesOf(jitter.forward(gd.full([500, 3, 1, 1], 0.5)))).map(([red]) => red / 0.5);
    expect(Math.min(...factors)).toBeGreaterThanOrEqual(0.6 - 1e-6);
    expect(Math.max(...factors)).toBeLessThan(1.4);
    const mean = factors.reduce((sum, factor) => sum + factor, 0) / factors.length;
    expect(Math.abs(mean - 1)).toBeLessThan((5 * 0.8) / Math.sqrt(12 * factors.length));
  });

  test("keeps values from 0 to 1, and gray images gray", async () => {
    const jitter = new transforms.ColorJitter({ brightness: 1, contrast: 1, saturation: 1, hue: 0.5 });
    const values = await jitter.forward(gd.rand([20, 3, 4, 5])).data();
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    // The way through hues rounds.
    expect(Math.max(...values)).toBeLessThanOrEqual(1 + 1e-6);
    const gray = gd.rand([20, 1, 4, 5]).expand([20, 3, 4, 5]);
    const [red, green, blue] = jitter.forward(gray).chunk(3, 1);
    expect(await red.sub(green).abs().max().item()).toBeLessThan(1e-6);
    expect(await red.sub(blue).abs().max().item()).toBeLessThan(1e-6);
  });

  test("without options changes nothing", async () => {
    const images = gd.randn([2, 3, 2, 2]);
    expect(await new transforms.ColorJitter().forward(images).data()).toEqual(await images.data());
  });
});

describe("RandomErasing", () => {
  test("erases a rectangle of its part of the images, of areas and proportions in their intervals", async () => {
    const erasing = new transforms.RandomErasing({
      p: 0.7,
      scale: [0.05, 0.2],
      ratio: [0.5, 2],
      generator: generator(),
    });
    const [side, count] = [40, 600];
    const images = await imagesOf(erasing.forward(gd.ones([count, 1, side, side])));
    const rectangles = images.flatMap((image) => {
      const rows = new Set<number>();
      const columns = new Set<number>();
      let area = 0;
      image.forEach((value, i) => {
        if (value !== 0) return;
        area++;
        rows.add(Math.floor(i / side));
        columns.add(i % side);
      });
      // Every pixel of the rectangle, and no other.
      expect(area).toBe(rows.size * columns.size);
      return area === 0 ? [] : [{ area, height: rows.size, width: columns.size, top: Math.min(...rows) }];
    });
    expectFraction(rectangles.length, count, 0.7);
    // Sides are rounded to whole pixels: half a pixel of at least six.
    for (const { area, height, width } of rectangles) {
      expect(area / side ** 2).toBeGreaterThan(0.05 * 0.83);
      expect(area / side ** 2).toBeLessThan(0.2 * 1.1);
      expect(height / width).toBeGreaterThan(0.5 / 1.2);
      expect(height / width).toBeLessThan(2 * 1.2);
    }
    const tops = new Set(rectangles.map(({ top }) => top));
    expect(Math.min(...tops)).toBe(0);
    expect(tops.size).toBeGreaterThan(20);
  });

  test("leaves an image whole into which no rectangle fits", async () => {
    const images = gd.randn([8, 1, 2, 30]);
    const erasing = new transforms.RandomErasing({ p: 1, scale: [0.9, 1], ratio: [1, 1] });
    expect(await erasing.forward(images).data()).toEqual(await images.data());
  });

  test("fills with values of each channel, or with noise", async () => {
    const erased = new transforms.RandomErasing({ p: 1, value: [5, 6], generator: generator() });
    const pixels = await erased.forward(gd.ones([30, 2, 8, 8])).data();
    expect(new Set(pixels)).toEqual(new Set([1, 5, 6]));
    const noisy = new transforms.RandomErasing({ p: 1, value: "random", generator: generator() });
    expect(new Set(await noisy.forward(gd.ones([4, 1, 8, 8])).data()).size).toBeGreaterThan(10);
  });
});

describe("blur and noise", () => {
  test("GaussianBlur keeps what is even, and widens each spot by a sigma of its own", async () => {
    const blur = new transforms.GaussianBlur(9, { sigma: [0.5, 1.5], generator: generator() });
    const even = await blur.forward(gd.full([2, 1, 9, 9], 0.75)).data();
    for (const value of even) expect(value).toBeCloseTo(0.75, 6);
    const peaks = (await imagesOf(blur.forward(spots(200, 19, 0, 0, 0.01)))).map((image) => Math.max(...image));
    // The peak of a bell in two dimensions, for a sigma of 1.5, and of 0.5, where it falls between few pixels.
    expect(Math.min(...peaks)).toBeGreaterThan(0.9 / (2 * Math.PI * 1.5 ** 2));
    expect(Math.max(...peaks)).toBeLessThan(1.05 / (2 * Math.PI * 0.5 ** 2));
    expect(new Set(peaks).size).toBeGreaterThan(190);
  });

  test("GaussianNoise adds numbers of its mean and deviation", async () => {
    const noise = new transforms.GaussianNoise({ mean: 0.1, sigma: 0.2, clip: false, generator: generator() });
    const values = [...(await noise.forward(gd.ones([4, 3, 30, 30])).data())].map((value) => value - 1);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    expect(Math.abs(mean - 0.1)).toBeLessThan((5 * 0.2) / Math.sqrt(values.length));
    expect(Math.abs(deviation / 0.2 - 1)).toBeLessThan(5 / Math.sqrt(2 * values.length));
    const clipped = await new transforms.GaussianNoise({ sigma: 2 }).forward(gd.rand([1, 1, 20, 20])).data();
    expect(Math.min(...clipped)).toBe(0);
    expect(Math.max(...clipped)).toBe(1);
  });
});

describe("RandomApply and RandomInvert", () => {
  test("change their part of the images as a whole", async () => {
    const apply = new transforms.RandomApply(
      [new transforms.Lambda((x) => x.add(10)), new transforms.Lambda((x) => x.mul(2))],
      0.4,
      {
        generator: generator(),
      },
    );
    const images = (await imagesOf(apply.forward(numbered(2000, 1, 1, 2)))).map(String);
    expect(new Set(images)).toEqual(new Set(["1,2", "22,24"]));
    expectFraction(images.filter((image) => image === "22,24").length, 2000, 0.4);
    const invert = new transforms.RandomInvert(0.4, { generator: generator() });
    const inverted = (await imagesOf(invert.forward(gd.full([2000, 1, 1, 1], 0.25)))).flat();
    expect(new Set(inverted)).toEqual(new Set([0.25, 0.75]));
    expectFraction(inverted.filter((value) => value === 0.75).length, 2000, 0.4);
  });
});

/** One of each, for images of [N, 3, 8, 8]. */
const all: Readonly<Record<string, (options: transforms.RandomTransformOptions) => gd.nn.Module>> = {
  RandomCrop: (options) => new transforms.RandomCrop(8, { padding: 2, ...options }),
  "RandomCrop, reflected": (options) =>
    new transforms.RandomCrop(8, { padding: 2, paddingMode: "reflect", ...options }),
  RandomResizedCrop: (options) => new transforms.RandomResizedCrop(8, options),
  RandomHorizontalFlip: (options) => new transforms.RandomHorizontalFlip(0.5, options),
  RandomVerticalFlip: (options) => new transforms.RandomVerticalFlip(0.5, options),
  RandomRotation: (options) => new transforms.RandomRotation(30, options),
  RandomAffine: (options) =>
    new transforms.RandomAffine(30, {
      translate: [0.2, 0.2],
      scale: [0.8, 1.2],
      shear: [-5, 5, -5, 5],
      interpolation: "bilinear",
      ...options,
    }),
  ColorJitter: (options) =>
    new transforms.ColorJitter({ brightness: 0.3, contrast: 0.3, saturation: 0.3, hue: 0.2, ...options }),
  RandomErasing: (options) => new transforms.RandomErasing({ value: "random", ...options }),
  GaussianBlur: (options) => new transforms.GaussianBlur(3, options),
  GaussianNoise: (options) => new transforms.GaussianNoise(options),
  RandomApply: (options) => new transforms.RandomApply([new transforms.Grayscale(3)], 0.5, options),
  RandomInvert: (options) => new transforms.RandomInvert(0.5, options),
};

describe.each(Object.entries(all))("%s", (_, make) => {
  const images = (): gd.Tensor => gd.rand([6, 3, 8, 8], { generator: generator(99) });

  test("gives the same from the same seed, and other images from another and the next time", async () => {
    const run = async (seed: number): Promise<number[][]> => {
      const transform = make({ generator: generator(seed) });
      return [[...(await transform.forward(images()).data())], [...(await transform.forward(images()).data())]];
    };
    const [first, second] = await run(5);
    expect(await run(5)).toEqual([first, second]);
    expect(second).not.toEqual(first);
    expect((await run(6))[0]).not.toEqual(first);
  });

  test("draws from the default generator unless it is given one", async () => {
    gd.manualSeed(3);
    const own = make({ generator: generator() });
    await own.forward(images()).data();
    expect(gd.defaultGenerator.getState()).toEqual({ seed: 3, drawn: 0 });
    const draw = async (): Promise<number[]> => {
      gd.manualSeed(3);
      return [...(await make({}).forward(images()).data())];
    };
    expect(await draw()).toEqual(await draw());
    expect(gd.defaultGenerator.getState().drawn).toBeGreaterThan(0);
  });

  test("treats every image of a batch on its own", async () => {
    const one = gd.rand([1, 3, 8, 8], { generator: generator(7) }).expand([12, 3, 8, 8]);
    const results = (await imagesOf(make({ generator: generator(2) }).forward(one))).map(String);
    expect(new Set(results).size).toBeGreaterThan(1);
  });

  test("is the same in training and in evaluation, as torchvision's", async () => {
    const values = async (mode: boolean): Promise<number[]> => [
      ...(await make({ generator: generator(4) })
        .train(mode)
        .forward(images())
        .data()),
    ];
    expect(await values(false)).toEqual(await values(true));
  });

  test("takes one image as a batch of one, float64, and no images at all", async () => {
    const image = gd.rand([3, 8, 8], { generator: generator(8) });
    const single = make({ generator: generator(4) }).forward(image);
    const batch = make({ generator: generator(4) }).forward(image.unsqueeze(0));
    expect(single.shape).toEqual([3, 8, 8]);
    expect(await single.data()).toEqual(await batch.data());
    expect(make({}).forward(images().double()).dtype).toBe("float64");
    const none = make({}).forward(gd.zeros([0, 3, 8, 8]));
    expect(none.shape).toEqual([0, 3, 8, 8]);
    expect(await none.data()).toHaveLength(0);
  });

  test("is one program, however often it runs", async () => {
    const transform = make({});
    const run = async (): Promise<void> => gd.flush(transform.forward(images()));
    await run();
    const { programsCompiled } = gd.statistics();
    for (let i = 0; i < 5; i++) await run();
    expect(gd.statistics().programsCompiled).toBe(programsCompiled);
  });
});

test("a training step with augmentation is one program, and its memory is bounded", async () => {
  gd.manualSeed(12);
  const model = new gd.nn.Sequential(
    new gd.nn.Conv2d(3, 4, 3),
    new gd.nn.ReLU(),
    new gd.nn.Flatten(),
    new gd.nn.Linear(4 * 36, 2),
  );
  const optimizer = new gd.optim.SGD(model.parameters(), { lr: 0.1 });
  const samples = new gd.data.TensorDataset(
    { data: Float32Array.from({ length: 32 * 192 }, (_, i) => ((i * 37) % 101) / 101), shape: [32, 3, 8, 8] },
    { data: Int32Array.from({ length: 32 }, (_, i) => i % 2), shape: [32] },
  );
  const augment = new transforms.Compose([
    new transforms.RandomCrop(8, { padding: 1 }),
    new transforms.RandomHorizontalFlip(),
    new transforms.ColorJitter({ brightness: 0.2, hue: 0.1 }),
    new transforms.Normalize([0.4, 0.5, 0.6], [0.2, 0.25, 0.3]),
    new transforms.RandomErasing(),
  ]);
  const loader = withTransforms(new gd.data.DataLoader(samples, { batchSize: 8, shuffle: true }), augment);
  let before = gd.statistics();
  let most = 0;
  for (let epoch = 0; epoch < 40; epoch++) {
    for await (const [images, labels] of loader) {
      optimizer.zeroGrad();
      const loss = gd.F.crossEntropy(model.forward(images), labels);
      loss.backward();
      await optimizer.step();
      await loss.item();
      most = Math.max(most, gd.memory().liveBytes);
    }
    if (epoch === 0) before = gd.statistics();
  }
  const after = gd.statistics();
  expect(after.programsCompiled).toBe(before.programsCompiled);
  expect(after.flushes - before.flushes).toBe(39 * 4);
  // Batches of 6 KiB; a collection is asked for from 96 MiB on, which they are far from.
  expect(most).toBeLessThan(32 * 2 ** 20);
});
