// What normalization is good for: one small network with batch, instance, group, layer or no normalization, trained alike
// on digits (Ioffe and Szegedy, 2015; Ulyanov et al., 2016; Wu and He, 2018; Ba et al., 2016).

import { integer, positiveNumber } from "@gradus/cli";
import { Digits } from "@gradus/vision/node";
import { F, nn, optim } from "gradus";
import { type Contender, comparison, table } from "../comparison.ts";
import { loadersOf } from "../data.ts";
import { type CommonOptions, recipe } from "../recipe.ts";

interface Options extends CommonOptions {
  readonly epochs: number;
  readonly batchSize: number;
  readonly lr: number;
  readonly [name: string]: string | number | boolean | undefined;
}

const GROUPS = 4;

/** How each kind normalizes so many channels of images of such a side. */
const KINDS: Readonly<Record<string, (channels: number, side: number) => nn.Module>> = {
  none: () => new nn.Identity(),
  batch: (channels) => new nn.BatchNorm2d(channels),
  instance: (channels) => new nn.InstanceNorm2d(channels, { affine: true }),
  group: (channels) => new nn.GroupNorm(GROUPS, channels),
  layer: (channels, side) => new nn.LayerNorm([channels, side, side]),
};

function network(normalize: (channels: number, side: number) => nn.Module): nn.Sequential {
  const stage = (from: number, to: number, side: number): nn.Module[] => [
    new nn.Conv2d(from, to, 3, { padding: 1 }),
    normalize(to, side),
    new nn.ReLU(),
    new nn.Conv2d(to, to, 3, { padding: 1 }),
    normalize(to, side),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
  ];
  return new nn.Sequential(
    ...stage(1, 16, 28),
    ...stage(16, 32, 14),
    ...stage(32, 64, 7),
    new nn.Flatten(),
    new nn.Linear(64 * 9, 10),
  );
}

export const normalization = recipe<Options>({
  name: "normalization",
  summary: "Batch, instance, group, layer and no normalization compared on digits",
  options: (command) =>
    command
      .option("--epochs <n>", "how often each walks through the data", integer(1), 4)
      .option("--batch-size <n>", "images a step; batch normalization suffers when there are few", integer(2), 64)
      .option("--lr <x>", "the learning rate of all", positiveNumber, 0.05),

  async train(run) {
    const { epochs, batchSize, limit, lr } = run.options;
    const images = await Digits.load({ normalize: false });
    const contenders: Contender[] = [];
    for (const [name, normalize] of Object.entries(KINDS)) {
      run.seed();
      const model = network(normalize);
      const { loader, evaluate } = loadersOf(images, Digits, { batchSize, limit });
      const result = await run.fit({
        part: name,
        title: `${name} normalization`,
        model,
        optimizer: new optim.SGD(model.parameters(), { lr, momentum: 0.9 }),
        loss: F.crossEntropy,
        loader,
        evaluate,
        epochs,
        classes: images.train.classes,
        inputShape: [1, 28, 28],
      });
      contenders.push({ name, result });
    }
    run.say(table(contenders));
    await run.report({ title: "Normalizations compared", sections: [comparison("Side by side", contenders)] });
  },
});
