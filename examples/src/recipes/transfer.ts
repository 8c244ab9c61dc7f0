// Transfer learning: a network that has learned clothes learns digits from a few examples, as a whole or with its body frozen,
// beside the same network that begins from nothing (Yosinski et al., "How transferable are features in deep neural
// networks?", 2014).

import { existsSync } from "node:fs";
import { integer, positiveNumber, UsageError } from "@gradus/cli";
import { type ResNet, smallResNet, transforms } from "@gradus/vision";
import { Digits, pretrained } from "@gradus/vision/node";
import { data, F, nn, optim } from "gradus";
import { loadSafetensors } from "gradus/node";
import { type Contender, comparison, table } from "../comparison.ts";
import { loadersOf } from "../data.ts";
import { type CommonOptions, recipe } from "../recipe.ts";

interface Options extends CommonOptions {
  readonly perClass: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly lr: number;
  readonly augment?: boolean;
  readonly weights?: string;
  readonly [name: string]: string | number | boolean | undefined;
}

/** How the three begin, and what of them learns. */
const WAYS = {
  "fine-tuned": { knowsClothes: true, frozen: false },
  frozen: { knowsClothes: true, frozen: true },
  scratch: { knowsClothes: false, frozen: false },
} as const;

export const transfer = recipe<Options>({
  name: "transfer",
  summary: "A ResNet that knows clothes learns a few digits: fine-tuned, with a frozen body, and from scratch",
  options: (command) =>
    command
      .option("--per-class <n>", "how many digits of each class there are to learn from", integer(1, 700), 20)
      .option("--epochs <n>", "how often to walk through them", integer(1), 12)
      .option("--batch-size <n>", "images a step", integer(2), 50)
      .option("--lr <x>", "the highest learning rate of the cycle", positiveNumber, 0.005)
      .option(
        "--augment",
        "shift the images at random: more to learn from, above all for the one that begins from nothing",
      )
      .option("--weights <file>", "the network on clothes, of fashion-resnet (default: the one that is shipped)"),

  async train(run) {
    const { perClass, limit, epochs, batchSize, lr } = run.options;
    const images = await Digits.load({ normalize: false });
    const few = {
      ...images,
      train: new data.Subset(images.train, firstOfEachClass(images.train.source.labels, perClass, limit)),
    };
    const contenders: Contender[] = [];
    for (const [name, { knowsClothes, frozen }] of Object.entries(WAYS)) {
      run.seed();
      const shift = new transforms.RandomCrop(28, { padding: 2 });
      const { loader, evaluate } = loadersOf(few, Digits, {
        batchSize,
        augment: (x) => (run.options.augment ? shift.forward(x) : x),
      });
      const model = knowsClothes ? await clothesNetwork(run.options.weights) : smallResNet();
      model.fc = new nn.Linear(model.fc.inFeatures, 10);
      const optimizer = new optim.AdamW(frozen ? model.fc.parameters() : model.parameters(), { lr, weightDecay: 0.01 });
      if (frozen) freezeBody(model);
      const result = await run.fit({
        part: name,
        title: `${name}, ${perClass} digits a class`,
        model,
        optimizer,
        scheduler: new optim.OneCycleLR(optimizer, lr, { epochs, stepsPerEpoch: loader.length }),
        schedulerInterval: "step",
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
    const title = `From clothes to ${perClass} digits a class`;
    await run.report({ title, sections: [comparison("Side by side", contenders)] });
  },
});

/** The first images of each class, among the first `limit`, so that every run learns from the same ones. */
function firstOfEachClass(labels: ArrayLike<number>, count: number, limit = labels.length): number[] {
  const found = new Map<number, number>();
  const chosen: number[] = [];
  for (let i = 0; i < Math.min(limit, labels.length); i++) {
    const known = found.get(labels[i]) ?? 0;
    if (known < count) chosen.push(i);
    found.set(labels[i], known + 1);
  }
  return chosen;
}

/** The network that was shipped, or one from a file. */
async function clothesNetwork(file: string | undefined): Promise<ResNet> {
  if (file === undefined) return pretrained("fashion-resnet");
  if (!existsSync(file)) {
    throw new UsageError(`--weights ${file} does not exist. Give the weights.safetensors of a fashion-resnet run.`);
  }
  const model = smallResNet();
  model.loadStateDict(await loadSafetensors(file));
  return model;
}

/** Only the last layer learns; running statistics stay those of clothes, too. */
function freezeBody(model: ResNet): void {
  for (const [name, child] of model.namedChildren()) {
    if (name === "fc") continue;
    child.requiresGrad_(false);
    child.registerForwardPreHook((module) => void module.eval());
  }
}
