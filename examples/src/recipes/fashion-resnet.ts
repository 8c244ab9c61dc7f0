// A small residual network on Fashion-MNIST: 93 of 100 clothes and more are recognized, within an hour on two cores.
// He et al. (2015) for the network, Smith and Topin (2018) for the one cycle of the learning rate, Zhong et al. (2017) for
// erasing parts of images.

import { integer, positiveNumber } from "@gradus/cli";
import { smallResNet, transforms } from "@gradus/vision";
import { FashionMNIST } from "@gradus/vision/node";
import { F, optim } from "gradus";
import { addDataOptions, type DataOptions, loadersOf, loadImages } from "../data.ts";
import { type CommonOptions, recipe } from "../recipe.ts";
import { saveWeights } from "../weights.ts";

interface Options extends CommonOptions, DataOptions {
  readonly epochs: number;
  readonly batchSize: number;
  readonly lr: number;
  readonly width: number;
  readonly [name: string]: string | number | boolean | undefined;
}

export const fashionResnet = recipe<Options>({
  name: "fashion-resnet",
  summary: "A small ResNet on Fashion-MNIST, from scratch",
  options: (command) =>
    addDataOptions(command)
      .option("--epochs <n>", "how often to walk through the data", integer(1), 12)
      .option("--batch-size <n>", "images a step", integer(2), 128)
      .option("--lr <x>", "the highest learning rate of the cycle", positiveNumber, 0.1)
      .option("--width <n>", "channels of the first stage; the others have two and four times as many", integer(1), 24),

  async train(run) {
    const { epochs, batchSize, limit, lr, width } = run.options;
    const images = await loadImages(FashionMNIST, "fashion-mnist", run.options);
    const augment = new transforms.Compose([
      new transforms.RandomHorizontalFlip(),
      new transforms.RandomCrop(28, { padding: 2 }),
      new transforms.RandomErasing({ p: 0.25, scale: [0.02, 0.2] }),
    ]);
    const { loader, evaluate } = loadersOf(images, FashionMNIST, {
      batchSize,
      limit,
      augment: (x) => augment.forward(x),
    });
    const model = smallResNet({ width });
    const optimizer = new optim.SGD(model.parameters(), { lr, momentum: 0.9, nesterov: true, weightDecay: 5e-4 });
    const scheduler = new optim.OneCycleLR(optimizer, lr, { epochs, stepsPerEpoch: loader.length });
    const { evaluation } = await run.fit({
      title: "A small ResNet on Fashion-MNIST",
      model,
      optimizer,
      scheduler,
      schedulerInterval: "step",
      loss: F.crossEntropy,
      loader,
      evaluate,
      epochs,
      classes: images.train.classes,
      inputShape: [1, 28, 28],
    });
    run.say(`test accuracy: ${evaluation?.accuracy.toFixed(4)}`);
    await saveWeights(run, model, { data: "Fashion-MNIST", accuracy: evaluation?.accuracy.toFixed(4) });
  },
});
