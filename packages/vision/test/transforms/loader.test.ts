// Loaders whose batches are transformed: batches, places, and training that goes on from a checkpoint as if nothing had
// happened, augmentation included.

import { transforms, withTransforms } from "@gradus/vision";
import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";

const { data, nn, optim, train } = gd;

beforeAll(() => gd.init({ threads: 1 }));

const samples = new data.TensorDataset(
  { data: Float32Array.from({ length: 20 * 16 }, (_, i) => ((i * 37) % 101) / 101), shape: [20, 1, 4, 4] },
  { data: Int32Array.from({ length: 20 }, (_, i) => (i * 7) % 3), shape: [20] },
);

describe("a loader with transforms", () => {
  test("has the other's length, labels and order, and images that went through a function", async () => {
    const plain = new data.DataLoader(samples, { batchSize: 6 });
    const loader = withTransforms(new data.DataLoader(samples, { batchSize: 6 }), (images) => images.mul(2));
    expect(loader.length).toBe(4);
    const expected: number[][] = [];
    for await (const [images, labels] of plain)
      expected.push([...(await images.mul(2).data()), ...(await labels.data())]);
    const actual: number[][] = [];
    for await (const [images, labels] of loader) actual.push([...(await images.data()), ...(await labels.data())]);
    expect(actual).toEqual(expected);
  });

  test("goes on where another stood", async () => {
    const make = () =>
      withTransforms(
        new data.DataLoader(samples, { batchSize: 6, shuffle: true, generator: new gd.Generator(3) }),
        new transforms.CenterCrop(2),
      );
    const labelsOf = async (loader: ReturnType<typeof make>): Promise<number[]> => {
      const found: number[] = [];
      for await (const [images, labels] of loader) {
        expect(images.shape.slice(1)).toEqual([1, 2, 2]);
        found.push(...(await labels.data()));
      }
      return found;
    };
    const whole = await labelsOf(make());
    const interrupted = make();
    for await (const _ of interrupted) break;
    const state = JSON.parse(JSON.stringify(interrupted.stateDict()));
    const resumed = make();
    resumed.loadStateDict(state);
    expect(await labelsOf(resumed)).toEqual(whole.slice(6));
  });

  test("is trained on, and a run that goes on from a checkpoint draws the same augmentation", async () => {
    const parts = () => {
      gd.manualSeed(21);
      const model = new nn.Sequential(new nn.Flatten(), new nn.Linear(16, 3));
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
      const augment = new transforms.Compose([
        new transforms.RandomCrop(4, { padding: 1 }),
        new transforms.RandomRotation(20, { interpolation: "bilinear" }),
        new transforms.RandomErasing(),
      ]);
      const loader = withTransforms(new data.DataLoader(samples, { batchSize: 5, shuffle: true }), augment);
      return { model, optimizer, loader };
    };
    const weights = async ({ model }: ReturnType<typeof parts>): Promise<number[]> => [
      ...(await model.parameters()[0].data()),
    ];
    const whole = parts();
    let saved: Uint8Array | null = null;
    await new train.Trainer({ ...whole, loss: gd.F.crossEntropy }).fit(whole.loader, {
      epochs: 2,
      callbacks: [
        {
          onStep: async (training) => {
            if (training.step === 3) saved = await gd.io.encodeCheckpoint(training.snapshot());
          },
        },
      ],
    });
    const resumed = parts();
    gd.manualSeed(999);
    await new train.Trainer({ ...resumed, loss: gd.F.crossEntropy }).fit(resumed.loader, {
      epochs: 2,
      resume: gd.io.decodeCheckpoint(saved!, "memory"),
    });
    expect(await weights(resumed)).toEqual(await weights(whole));
  });
});
