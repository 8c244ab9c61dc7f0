// The deep convolutional GAN on digits or clothes (Radford et al., 2015), with the training loop of PyTorch's tutorial: a
// discriminator that tells real images from made ones, a generator that learns to deceive it, and a fixed batch of latent
// vectors whose images show over time what the generator has learned.

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { integer, numberFrom, positiveNumber } from "@gradus/cli";
import { DcganDiscriminator, DcganGenerator, type DcganImageSize, transforms, withTransforms } from "@gradus/vision";
import { Digits, FashionMNIST } from "@gradus/vision/node";
import { Option } from "commander";
import { data, F, Generator, nn, noGrad, onesLike, optim, randn, type Tensor, train, zerosLike } from "gradus";
import { loadImage, type ReportSection, saveImage } from "gradus/node";
import { limited } from "../data.ts";
import { diversity, judge } from "../gan-quality.ts";
import { type CommonOptions, recipe } from "../recipe.ts";
import type { Run } from "../run.ts";
import { saveWeights } from "../weights.ts";

interface Options extends CommonOptions {
  readonly data: "digits" | "fashion-mnist";
  readonly imageSize: DcganImageSize;
  readonly latent: number;
  readonly features: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly lr: number;
  readonly beta1: number;
  readonly logits: boolean;
  readonly overshootPenalty: number;
  readonly [name: string]: string | number | boolean | undefined;
}

const SOURCES = { digits: Digits, "fashion-mnist": FashionMNIST } as const;

/** Both networks as one model, so that one checkpoint holds them. */
class Gan extends nn.Module {
  constructor(
    readonly generator: DcganGenerator,
    readonly discriminator: DcganDiscriminator,
  ) {
    super();
  }

  forward(latent: Tensor): Tensor {
    return this.generator.forward(latent);
  }
}

/** Images of the fixed latent batch in a row of the grid, and rows. */
const GRID = 8;
/** Below this part of the real images' diversity the generator makes nearly one image of all latent vectors. */
const COLLAPSED = 0.25;
const SAMPLES = 1000;

export const dcgan = recipe<Options>({
  name: "dcgan",
  summary: "A DCGAN that draws digits or clothes",
  options: (command) =>
    command
      .addOption(new Option("--data <name>", "what to imitate").choices(Object.keys(SOURCES)).default("digits"))
      .addOption(
        new Option("--image-size <n>", "height and width").choices(["28", "32", "64"]).default(32).argParser(Number),
      )
      .option("--latent <n>", "numbers in a latent vector", integer(1), 100)
      .option("--features <n>", "channels of the widest images; deeper layers have more", integer(1), 32)
      .option("--epochs <n>", "how often to walk through the data", integer(1), 60)
      .option("--batch-size <n>", "images a step", integer(2), 64)
      .option("--lr <x>", "the learning rate of both", positiveNumber, 2e-4)
      .option("--beta1 <x>", "how slowly Adam's mean of gradients changes", numberFrom(0, 0.999), 0.5)
      .option("--no-logits", "take the loss of probabilities, as the tutorial does, instead of logits")
      .option(
        "--overshoot-penalty <x>",
        "end the generator without tanh, and add this times the mean square of what lies beyond -1 and 1",
        numberFrom(0),
        0,
      ),

  async train(run) {
    const { options } = run;
    const { train: images } = await SOURCES[options.data].load({ normalize: false });
    const toSize = resized(options.imageSize, images.imageShape[1]);
    const shuffled = new data.DataLoader(limited(images, options.limit), {
      batchSize: options.batchSize,
      shuffle: true,
      dropLast: true,
    });
    const loader = withTransforms(shuffled, (x) => toSize(x).mul(2).sub(1));

    const { imageSize, latent, features, lr, beta1, overshootPenalty } = options;
    const hasPenalty = overshootPenalty > 0;
    const generator = new DcganGenerator({ latent, features, channels: 1, imageSize, tanh: !hasPenalty });
    const discriminator = new DcganDiscriminator({ features, channels: 1, imageSize });
    const model = new Gan(generator, discriminator);
    const betas = [beta1, 0.999] as const;
    const optimizerD = new optim.Adam(discriminator.parameters(), { lr, betas });
    const optimizerG = new optim.Adam(generator.parameters(), { lr, betas });
    const criterion = options.logits
      ? (logits: Tensor, target: Tensor) => F.binaryCrossEntropyWithLogits(logits, target)
      : (logits: Tensor, target: Tensor) => F.binaryCrossEntropy(logits.sigmoid(), target);

    const step: train.TrainingStep = async ([real]) => {
      // The discriminator: real images are to be 1, made ones 0.
      optimizerD.zeroGrad();
      const onReal = discriminator.forward(real);
      const fake = generator.forward(randn([real.shape[0], latent, 1, 1]));
      const onFake = discriminator.forward(fake.detach());
      const lossD = criterion(onReal, onesLike(onReal)).add(criterion(onFake, zerosLike(onFake)));
      const means = noGrad(() => [onReal, onFake].map((logits) => logits.sigmoid().mean().retain()));
      lossD.backward();
      await optimizerD.step();

      // The generator: what it makes is to be taken for real.
      optimizerG.zeroGrad();
      const judged = discriminator.forward(fake);
      const deception = criterion(judged, onesLike(judged));
      const loss = hasPenalty ? deception.add(overshoot(fake).mul(overshootPenalty)) : deception;
      const after = noGrad(() => judged.sigmoid().mean().retain());
      loss.backward();
      await optimizerG.step();
      return {
        loss: await loss.item(),
        "loss of D": await lossD.item(),
        "D(x)": await means[0].item(),
        "D(G(z)) before": await means[1].item(),
        "D(G(z)) after": await after.item(),
      };
    };

    const fixed = randn([GRID * GRID, latent, 1, 1], { generator: new Generator(run.options.seed) });
    await run.makeFolder("images");
    const realDiversity = await diversity(
      toSize(await firstImages(images))
        .mul(2)
        .sub(1),
    );
    await run.fit({
      title: `A DCGAN on ${options.data}`,
      model,
      optimizer: [optimizerD, optimizerG],
      step,
      loader,
      epochs: options.epochs,
      callbacks: [drawEachEpoch(run, generator, fixed, realDiversity)],
      sections: () => picturesOverTime(run),
    });
    await saveWeights(run, generator, { data: options.data });
    if (options.data !== "digits") return;
    const samples = sample(
      generator,
      randn([SAMPLES, latent, 1, 1], { generator: new Generator(run.options.seed + 1) }),
    );
    const { counts, meanTopProbability } = await judge(samples);
    run.say(`Of ${SAMPLES} samples a classifier of real digits takes ${counts.join(", ")} for 0, 1, ... 9,`);
    run.say(`with a mean top probability of ${meanTopProbability.toFixed(3)}`);
  },
});

/** The mean square of what lies beyond -1 and 1. */
const overshoot = (images: Tensor): Tensor => images.abs().sub(1).relu().square().mean();

/** Small images get a black border, others are scaled. */
function resized(size: number, side: number): (images: Tensor) => Tensor {
  if (size === side) return (images) => images;
  const border = (size - side) / 2;
  const transform = size < 2 * side ? new transforms.Pad(border) : new transforms.Resize(size);
  return (images) => transform.forward(images);
}

async function firstImages(images: data.Dataset<data.HostArray[]>): Promise<Tensor> {
  for await (const [first] of new data.DataLoader(images, { batchSize: GRID * GRID })) return first;
  throw new Error("There are no images.");
}

/** Images in evaluation mode, as the running statistics make them. */
function sample(generator: DcganGenerator, latent: Tensor): Tensor {
  const { training } = generator;
  generator.eval();
  const images = noGrad(() => generator.forward(latent));
  generator.train(training);
  return images;
}

/** Draws the fixed latent batch after each epoch, and warns when all its images look alike. */
function drawEachEpoch(run: Run, generator: DcganGenerator, fixed: Tensor, realDiversity: number): train.Callback {
  const draw = async (training: train.Training): Promise<void> => {
    const images = sample(generator, fixed);
    const name = `epoch-${String(training.epoch).padStart(4, "0")}.png`;
    await saveImage(run.path("images", name), await train.imageGrid(images, { columns: GRID, range: [-1, 1] }));
    const share = (await diversity(images)) / realDiversity;
    if (training.epoch > 0 && share < COLLAPSED) {
      training.log(
        `Warning: the generator's images differ only ${(100 * share).toFixed(0)}% as much as real ones: it collapses. ` +
          "Lower the learning rate, use larger batches, or begin with another seed.",
      );
    }
  };
  return { onStart: (training) => (training.epoch === 0 ? draw(training) : undefined), onEpochEnd: draw };
}

const SHOWN = 9;

/** Some of the grids that the run has drawn, evenly spaced, the last among them. */
async function picturesOverTime(run: Run): Promise<ReportSection[]> {
  const names = (await readdir(run.path("images"))).filter((name) => name.endsWith(".png")).sort();
  const every = Math.max(1, Math.ceil((names.length - 1) / (SHOWN - 1)));
  const shown = names.filter((_, i) => (names.length - 1 - i) % every === 0);
  const pictures = await Promise.all(
    shown.map(async (name) => {
      const image = await loadImage(join(run.path("images"), name));
      return { image, caption: `after epoch ${Number.parseInt(name.slice("epoch-".length), 10)}` };
    }),
  );
  return [{ title: "The same latent vectors over time", pictures }];
}
