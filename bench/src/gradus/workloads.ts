// Gradus's side of the bench: each workload as a user would write it, from the numbers that every contestant starts
// from. Leans on Gradus's public face alone.

import { createRequire } from "node:module";
import * as gd from "gradus";
import type { Job } from "../protocol.ts";
import { initialParameters, inputSeeds, labels, meanMagnitude, modelRecipes, uniform } from "../recipes.ts";
import type { Builders, Runner } from "../serve.ts";

const { nn, optim } = gd;

/** Starts the device that the job names; the emitter is chosen by GRADUS_CODEGEN. */
async function start({ device, threads }: Job): Promise<Pick<Runner, "version" | "threads" | "codegen">> {
  await gd.init({ device: device as gd.InitOptions["device"] & string, threads });
  const require = createRequire(import.meta.url);
  const { version } = require(require.resolve("gradus").replace(/dist[\\/]index\.js$/, "package.json"));
  const running = gd.config();
  return { version, threads: running.threads, codegen: running.codegen };
}

async function matmul(job: Job): Promise<Runner> {
  const about = await start(job);
  const size = job.size!;
  const [a, b] = inputSeeds.map((seed) => gd.tensor(uniform(seed, size * size)).reshape(size, size));
  await Promise.all([a!.realize(), b!.realize()]);
  let product = a!;
  return {
    ...about,
    async step() {
      product = a!.matmul(b!);
      await product.realize();
    },
    check: async () => meanMagnitude(await product.data()),
  };
}

type Model = InstanceType<typeof nn.Sequential>;

/** The optimizer's part in a training step, whichever it is. */
interface Optimizer {
  zeroGrad(): void;
  step(): Promise<void>;
}

async function training(
  job: Job,
  name: keyof typeof modelRecipes,
  inputShape: readonly number[],
  model: Model,
  makeOptimizer: (parameters: Iterable<gd.Parameter>) => Optimizer,
): Promise<Runner> {
  const about = await start(job);
  const values = initialParameters(name);
  gd.noGrad(() => {
    for (const [index, parameter] of [...model.parameters()].entries()) {
      parameter.copy_(gd.tensor(values[index]!).reshape(...modelRecipes[name][index]!.shape));
    }
  });
  const optimizer = makeOptimizer(model.parameters());
  const criterion = new nn.CrossEntropyLoss();
  const batchSize = job.batchSize!;
  const inputs = gd.tensor(uniform(inputSeeds[0], batchSize * 784)).reshape(batchSize, ...inputShape);
  const targets = gd.tensor(labels(batchSize));
  await Promise.all([inputs.realize(), targets.realize()]);
  let lastLoss = Number.NaN;
  return {
    ...about,
    async step() {
      optimizer.zeroGrad();
      const loss = criterion.forward(model.forward(inputs), targets);
      loss.backward();
      await optimizer.step();
      lastLoss = await loss.item();
    },
    check: async () => lastLoss,
  };
}

function mlp(job: Job): Promise<Runner> {
  const model = new nn.Sequential(
    new nn.Linear(784, 256),
    new nn.ReLU(),
    new nn.Linear(256, 128),
    new nn.ReLU(),
    new nn.Linear(128, 10),
  );
  return training(job, "mlp", [784], model, (parameters) => new optim.Adam(parameters, { lr: 1e-3 }));
}

function lenet(job: Job): Promise<Runner> {
  const model = new nn.Sequential(
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
  return training(job, "lenet", [1, 28, 28], model, (parameters) => new optim.SGD(parameters, { lr: 0.1 }));
}

export const builders: Builders = { matmul, mlp, lenet };
