// ResNet-18 on CIFAR-100 from scratch: a hundred classes, of which each has five hundred images (Krizhevsky, 2009). The
// usual recipe: flips and shifted crops, SGD with momentum, and a learning rate that falls along a cosine.

import { integer, positiveNumber } from "@gradus/cli";
import { resnet18, transforms } from "@gradus/vision";
import { CIFAR100 } from "@gradus/vision/node";
import { F, optim } from "gradus";
import { addDataOptions, type DataOptions, loadersOf, loadImages } from "../data.ts";
import { type CommonOptions, recipe } from "../recipe.ts";
import { saveWeights } from "../weights.ts";

interface Options extends CommonOptions, DataOptions {
  readonly epochs: number;
  readonly batchSize: number;
  readonly lr: number;
  readonly labelSmoothing: number;
  readonly [name: string]: string | number | boolean | undefined;
}

export const cifar100 = recipe<Options>({
  name: "cifar100",
  summary: "ResNet-18 on CIFAR-100, from scratch",
  options: (command) =>
    addDataOptions(command)
      .option("--epochs <n>", "how often to walk through the data", integer(1), 30)
      .option("--batch-size <n>", "images a step", integer(2), 128)
      .option("--lr <x>", "the first learning rate", positiveNumber, 0.1)
      .option("--label-smoothing <x>", "how much of each target goes to all classes", Number, 0.1),

  async train(run) {
    const { epochs, batchSize, limit, lr, labelSmoothing } = run.options;
    const images = await loadImages(CIFAR100, "cifar-100", run.options);
    const augment = new transforms.Compose([
      new transforms.RandomHorizontalFlip(),
      new transforms.RandomCrop(32, { padding: 4 }),
    ]);
    const { loader, evaluate } = loadersOf(images, CIFAR100, { batchSize, limit, augment: (x) => augment.forward(x) });
    const model = resnet18({ classes: 100, smallImages: true });
    const optimizer = new optim.SGD(model.parameters(), { lr, momentum: 0.9, nesterov: true, weightDecay: 5e-4 });
    const scheduler = new optim.CosineAnnealingLR(optimizer, epochs);
    const { evaluation } = await run.fit({
      title: "ResNet-18 on CIFAR-100",
      model,
      optimizer,
      scheduler,
      loss: (output, target) => F.crossEntropy(output, target, { labelSmoothing }),
      loader,
      evaluate,
      epochs,
      classes: images.train.classes,
      inputShape: [3, 32, 32],
    });
    run.say(`test accuracy: ${evaluation?.accuracy.toFixed(4)}`);
    await saveWeights(run, model, { data: "CIFAR-100", accuracy: evaluation?.accuracy.toFixed(4) });
  },
});
