// Gradus's side of the bench: each workload as a user would write it, from the numbers that every contestant starts
// from. Leans on the public faces of Gradus and of its vision package alone.

import { createRequire } from "node:module";
import { DcganDiscriminator, DcganGenerator, resnet18 } from "@gradus/vision";
import * as gd from "gradus";
import type { Job } from "../protocol.ts";
import {
  affineParameters,
  initialParameters,
  inputSeeds,
  labels,
  type ModelName,
  meanMagnitude,
  modelRecipes,
  projection,
  uniform,
} from "../recipes.ts";
import type { Builder, Runner } from "../serve.ts";
import type { WorkloadName } from "../workloads.ts";

const { nn, optim } = gd;

/** Starts the device that the job names. What code it emits is chosen by GRADUS_CODEGEN, or by Gradus. */
async function start({ device, threads }: Job): Promise<Pick<Runner, "version" | "threads" | "codegen">> {
  await gd.init({ device: device as gd.InitOptions["device"] & string, threads });
  const require = createRequire(import.meta.url);
  const { version } = require(require.resolve("gradus").replace(/dist[\\/]index\.js$/, "package.json"));
  const running = gd.config();
  return { version, threads: running.threads, codegen: running.codegen };
}

/** An input of a workload, already on the device. */
function input(seed: number, ...shape: readonly number[]): Promise<gd.Tensor> {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return gd
    .tensor(uniform(seed, count))
    .reshape(...shape)
    .realize();
}

/** A workload that computes one tensor, anew in each step. `fingerprint` tells its values in one number. */
function computing(
  about: Pick<Runner, "version" | "threads" | "codegen">,
  compute: () => gd.Tensor,
  fingerprint: (values: ArrayLike<number>) => number,
): Runner {
  let result: gd.Tensor;
  return {
    ...about,
    async step() {
      result = compute();
      await result.realize();
    },
    check: async () => fingerprint(await result.data()),
  };
}

async function matmul(job: Job): Promise<Runner> {
  const about = await start(job);
  const size = job.size!;
  const [a, b] = await Promise.all(inputSeeds.map((seed) => input(seed, size, size)));
  return computing(about, () => a!.matmul(b!), meanMagnitude);
}

async function softmax(job: Job): Promise<Runner> {
  const about = await start(job);
  const x = await input(inputSeeds[0], job.size!, job.size!);
  return computing(about, () => x.softmax(-1), projection);
}

async function layernorm(job: Job): Promise<Runner> {
  const about = await start(job);
  const size = job.size!;
  const x = await input(inputSeeds[0], size, size);
  const [weight, bias] = affineParameters(size).map((values) => gd.tensor(values));
  const norm = new nn.LayerNorm(size).requiresGrad_(false);
  norm.loadStateDict(
    new Map([
      ["weight", weight!],
      ["bias", bias!],
    ]),
  );
  return computing(about, () => norm.forward(x), projection);
}

async function elementwise(job: Job): Promise<Runner> {
  const about = await start(job);
  const x = await input(inputSeeds[0], job.size!, job.size!);
  return computing(about, () => x.mul(1.5).add(0.25).relu().sub(0.5).abs().mul(x), projection);
}

/** Gives a model the numbers that all contestants start from. */
function loadRecipe<M extends gd.nn.Module>(model: M, name: ModelName): M {
  const values = initialParameters(name);
  gd.noGrad(() => {
    for (const [index, parameter] of model.parameters().entries()) {
      parameter.copy_(gd.tensor(values[index]!).reshape(...modelRecipes[name][index]!.shape));
    }
  });
  return model;
}

/** The optimizer's part in a training step, whichever it is. */
interface Optimizer {
  zeroGrad(): void;
  step(): Promise<void>;
}

/** A workload that learns: forward, backward, update, and the loss read. */
function learning(
  about: Pick<Runner, "version" | "threads" | "codegen">,
  optimizer: Optimizer,
  computeLoss: () => gd.Tensor,
): Runner {
  let lastLoss = Number.NaN;
  return {
    ...about,
    async step() {
      optimizer.zeroGrad();
      const loss = computeLoss();
      loss.backward();
      await optimizer.step();
      lastLoss = await loss.item();
    },
    check: async () => lastLoss,
  };
}

/** A classifier that learns the labels of one batch. */
async function classifying(
  job: Job,
  name: ModelName,
  imageShape: readonly number[],
  makeModel: () => gd.nn.Module,
  makeOptimizer: (parameters: gd.Parameter[]) => Optimizer,
): Promise<Runner> {
  const about = await start(job);
  const model = loadRecipe(makeModel(), name);
  const criterion = new nn.CrossEntropyLoss();
  const inputs = await input(inputSeeds[0], job.batchSize!, ...imageShape);
  const targets = await gd.tensor(labels(job.batchSize!)).realize();
  return learning(about, makeOptimizer(model.parameters()), () => criterion.forward(model.forward(inputs), targets));
}

function mlp(job: Job): Promise<Runner> {
  const makeModel = () =>
    new nn.Sequential(
      new nn.Linear(784, 256),
      new nn.ReLU(),
      new nn.Linear(256, 128),
      new nn.ReLU(),
      new nn.Linear(128, 10),
    );
  return classifying(job, "mlp", [784], makeModel, (parameters) => new optim.Adam(parameters, { lr: 1e-3 }));
}

function lenet(job: Job): Promise<Runner> {
  const makeModel = () =>
    new nn.Sequential(
      new nn.Conv2d(1, 6, 5, { padding: 2 }),
      new nn.Sigmoid(),
      new nn.AvgPool2d(2),
      new nn.Conv2d(6, 16, 5),
      new nn.Sigmoid(),
      new nn.AvgPool2d(2),
      new nn.Flatten(),
      new nn.Linear(400, 120),
      new nn.Sigmoid(),
      new nn.Linear(120, 84),
      new nn.Sigmoid(),
      new nn.Linear(84, 10),
    );
  return classifying(job, "lenet", [1, 28, 28], makeModel, (parameters) => new optim.SGD(parameters, { lr: 0.1 }));
}

function residualNetwork(job: Job): Promise<Runner> {
  const makeModel = () => resnet18({ classes: 10, smallImages: true });
  const makeOptimizer = (parameters: gd.Parameter[]) => new optim.SGD(parameters, { lr: 0.1, momentum: 0.9 });
  return classifying(job, "resnet18", [3, 32, 32], makeModel, makeOptimizer);
}

async function dcgan(job: Job): Promise<Runner> {
  const about = await start(job);
  const batchSize = job.batchSize!;
  const generator = loadRecipe(new DcganGenerator(), "dcganGenerator");
  const discriminator = loadRecipe(new DcganDiscriminator(), "dcganDiscriminator");
  const criterion = new nn.BCEWithLogitsLoss();
  const options = { lr: 2e-4, betas: [0.5, 0.999] } as const;
  const optimizerD = new optim.Adam(discriminator.parameters(), options);
  const optimizerG = new optim.Adam(generator.parameters(), options);
  const images = await input(inputSeeds[0], batchSize, 3, 64, 64);
  const latent = await input(inputSeeds[1], batchSize, 100, 1, 1);
  const [real, made] = await Promise.all([gd.ones([batchSize]).realize(), gd.zeros([batchSize]).realize()]);
  let lastLoss = Number.NaN;
  return {
    ...about,
    async step() {
      const fakes = generator.forward(latent);
      optimizerD.zeroGrad();
      const lossD = criterion
        .forward(discriminator.forward(images), real)
        .add(criterion.forward(discriminator.forward(fakes.detach()), made));
      lossD.backward();
      await optimizerD.step();
      optimizerG.zeroGrad();
      const lossG = criterion.forward(discriminator.forward(fakes), real);
      lossG.backward();
      await optimizerG.step();
      lastLoss = (await lossD.item()) + (await lossG.item());
    },
    check: async () => lastLoss,
  };
}

class ResidualBlock extends nn.Module {
  readonly conv1 = new nn.Conv1d(64, 64, 9, { padding: 4 });
  readonly conv2 = new nn.Conv1d(64, 64, 9, { padding: 4 });

  forward(x: gd.Tensor): gd.Tensor {
    return x.add(this.conv2.forward(this.conv1.forward(x).relu())).relu();
  }
}

async function conv1d(job: Job): Promise<Runner> {
  const about = await start(job);
  const model = loadRecipe(new nn.Sequential(new ResidualBlock(), new ResidualBlock()), "residualStack");
  const inputs = await input(inputSeeds[0], job.batchSize!, 64, 16384);
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.01 });
  return learning(about, optimizer, () => model.forward(inputs).square().mean());
}

export const builders: Readonly<Record<WorkloadName, Builder>> = {
  matmul,
  mlp,
  lenet,
  resnet18: residualNetwork,
  dcgan,
  conv1d,
  softmax,
  layernorm,
  elementwise,
};
