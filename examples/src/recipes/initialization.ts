// Why initial weights matter: how activations and gradients change with depth when they are too small, too large, or scaled
// by the rules of Glorot and Bengio (2010) and He et al. (2015), and what that does to learning.

import { integer, positiveNumber } from "@gradus/cli";
import { Digits } from "@gradus/vision/node";
import { Option } from "commander";
import { F, flush, nn, optim, type Tensor, train } from "gradus";
import type { ReportSection } from "gradus/node";
import { type Contender, comparison, table } from "../comparison.ts";
import { loadersOf } from "../data.ts";
import { density, spread } from "../histogram.ts";
import { type CommonOptions, recipe } from "../recipe.ts";

interface Options extends CommonOptions {
  readonly depth: number;
  readonly width: number;
  readonly activation: string;
  readonly epochs: number;
  readonly batchSize: number;
  readonly lr: number;
  readonly [name: string]: string | number | boolean | undefined;
}

const SCHEMES: Readonly<Record<string, (weight: Tensor) => void>> = {
  "too small: N(0, 0.01)": (weight) => void nn.init.normal_(weight, 0, 0.01),
  "too large: N(0, 0.3)": (weight) => void nn.init.normal_(weight, 0, 0.3),
  "PyTorch's default": (weight) => void nn.init.kaimingUniform_(weight, { a: Math.sqrt(5) }),
  "Xavier, normal": (weight) => void nn.init.xavierNormal_(weight),
  "Kaiming, normal": (weight) => void nn.init.kaimingNormal_(weight, { nonlinearity: "relu" }),
  orthogonal: (weight) => void nn.init.orthogonal_(weight, Math.SQRT2),
};

/** A stack of equal layers, each remembered by what comes out of its activation. */
class DeepMlp extends nn.Module {
  readonly first: nn.Linear;
  readonly hidden: nn.ModuleList;
  readonly last: nn.Linear;
  activations: Tensor[] = [];

  constructor(
    depth: number,
    width: number,
    private readonly activate: (x: Tensor) => Tensor,
  ) {
    super();
    this.first = new nn.Linear(784, width);
    this.hidden = new nn.ModuleList(Array.from({ length: depth - 1 }, () => new nn.Linear(width, width)));
    this.last = new nn.Linear(width, 10);
  }

  forward(images: Tensor): Tensor {
    this.activations = [];
    let x = images.flatten(1);
    for (const layer of [this.first, ...this.hidden]) {
      x = this.activate((layer as nn.Linear).forward(x));
      this.activations.push(x);
    }
    return this.last.forward(x);
  }
}

const ACTIVATIONS: Readonly<Record<string, (x: Tensor) => Tensor>> = { relu: F.relu, tanh: F.tanh, sigmoid: F.sigmoid };

export const initialization = recipe<Options>({
  name: "initialization",
  summary: "Activations and gradients over depth for good and bad initial weights, and how each learns",
  options: (command) =>
    command
      .option("--depth <n>", "hidden layers", integer(2, 50), 12)
      .option("--width <n>", "units of each", integer(2), 128)
      .addOption(
        new Option("--activation <name>", "of all hidden layers").choices(Object.keys(ACTIVATIONS)).default("relu"),
      )
      .option("--epochs <n>", "how often each walks through the data", integer(1), 3)
      .option("--batch-size <n>", "images a step", integer(2), 64)
      .option("--lr <x>", "the learning rate of all", positiveNumber, 0.02),

  async train(run) {
    const { depth, width, activation, epochs, batchSize, limit, lr } = run.options;
    const images = await Digits.load({ normalize: false });
    const contenders: Contender[] = [];
    const looks: { readonly name: string; readonly look: Look }[] = [];
    for (const [name, initialize] of Object.entries(SCHEMES)) {
      run.seed();
      const model = new DeepMlp(depth, width, ACTIVATIONS[activation]);
      for (const module of model.modules()) {
        if (!(module instanceof nn.Linear)) continue;
        initialize(module.weight);
        nn.init.zeros_(module.bias!);
      }
      const { loader, evaluate } = loadersOf(images, Digits, { batchSize, limit });
      looks.push({ name, look: await lookInside(model, evaluate) });
      const training = run.fit({
        part: name
          .replace(/[^a-zA-Z]+/g, "-")
          .replace(/^-|-$/g, "")
          .toLowerCase(),
        title: name,
        model,
        optimizer: new optim.SGD(model.parameters(), { lr, momentum: 0.9 }),
        loss: F.crossEntropy,
        loader,
        evaluate,
        epochs,
        classes: images.train.classes,
      });
      const result = await training.catch((error: unknown) => {
        if (!(error instanceof train.NonFiniteLossError)) throw error;
        run.say(`${name}: diverged. ${error.message}`);
        return null;
      });
      if (result !== null) contenders.push({ name, result });
    }
    run.say(table(contenders));
    const sections = [overDepth(looks), ...looks.map(histograms), comparison("How they learn", contenders)];
    await run.report({ title: `Initial weights of ${depth} layers with ${activation}`, sections });
  },
});

/** What one batch leaves in each layer: all activations, and the gradients of all weights. */
interface Look {
  readonly activations: readonly Float32Array[];
  readonly gradients: readonly Float32Array[];
}

async function lookInside(model: DeepMlp, batches: AsyncIterable<readonly Tensor[]>): Promise<Look> {
  for await (const [x, y] of batches) {
    F.crossEntropy(model.forward(x), y).backward();
    const layers = [model.first, ...model.hidden] as nn.Linear[];
    const gradients = layers.map(({ weight }) => weight.grad!);
    const activations = model.activations;
    await flush(...activations, ...gradients);
    const values = (tensors: readonly Tensor[]) =>
      Promise.all(tensors.map(async (tensor) => Float32Array.from(await tensor.data())));
    const look = { activations: await values(activations), gradients: await values(gradients) };
    model.zeroGrad();
    return look;
  }
  throw new Error("There is no batch to look at.");
}

/** Standard deviations by layer, of all schemes in one chart; on a logarithmic scale, for they span decades. */
function overDepth(looks: readonly { readonly name: string; readonly look: Look }[]): ReportSection {
  const series = (pick: (look: Look) => readonly Float32Array[]) =>
    looks.map(({ name, look }) => ({
      name,
      points: pick(look).map((values, i): [number, number] => [i + 1, Math.log10(Math.max(spread(values), 1e-30))]),
    }));
  return {
    title: "Over depth, before the first step",
    text: "Standard deviations as powers of ten. A scheme is good where the curves stay level.",
    charts: [
      { title: "Activations", xTitle: "layer", series: series(({ activations }) => activations) },
      { title: "Gradients of the weights", xTitle: "layer", series: series(({ gradients }) => gradients) },
    ],
  };
}

/** The distributions in the first, a middle and the last layer. */
function histograms({ name, look }: { readonly name: string; readonly look: Look }): ReportSection {
  const chosen = (layers: readonly Float32Array[]) =>
    [...new Set([0, Math.floor(layers.length / 2), layers.length - 1])].map((i) => ({
      name: `layer ${i + 1}`,
      points: density(layers[i]),
    }));
  return {
    title: name,
    charts: [
      { title: "Activations (histogram)", xTitle: "value", series: chosen(look.activations) },
      { title: "Gradients (histogram)", xTitle: "value", series: chosen(look.gradients) },
    ],
  };
}
