// jax-js's side of the bench, on its WebAssembly backend. Each step is one jit-compiled function of the parameters and
// the optimizer's state, as its own documentation advises. Arrays are reference-counted by hand: `.ref` keeps one that
// a call would use up.

import { readFileSync } from "node:fs";
import {
  affineParameters,
  classCount,
  initialParameters,
  inputSeeds,
  labels,
  meanMagnitude,
  modelRecipes,
  projection,
  uniform,
} from "../dist/recipes.js";
import { serve } from "../dist/serve.js";
import { lendWorkersToJax } from "./web-workers.mjs";

const { threads } = JSON.parse(process.argv[2]);
if (threads > 1) lendWorkersToJax(threads);
const jax = await import("@jax-js/jax");
const { blockUntilReady, jit, lax, nn, numpy: np, tree, valueAndGrad } = jax;
await jax.init("wasm");
jax.defaultDevice("wasm");
const { version } = JSON.parse(readFileSync(new URL("node_modules/@jax-js/jax/package.json", import.meta.url), "utf8"));

const array = (values, shape) => np.array(values, { shape });

/** A workload that computes one array. `fingerprint` tells its values in one number. */
async function computing(compute, operands, fingerprint) {
  const computeAll = jit(compute);
  await blockUntilReady(operands);
  let result;
  return {
    version,
    threads,
    async step() {
      result?.dispose();
      result = computeAll(...operands.map((operand) => operand.ref));
      await blockUntilReady(result);
    },
    check: async () => fingerprint(await result.ref.data()),
  };
}

const squareMatrix = (seed, size) => array(uniform(seed, size * size), [size, size]);

const matmul = ({ size }) =>
  computing(
    (a, b) => np.matmul(a, b),
    inputSeeds.map((seed) => squareMatrix(seed, size)),
    meanMagnitude,
  );

const softmax = ({ size }) => computing((x) => nn.softmax(x, -1), [squareMatrix(inputSeeds[0], size)], projection);

function layernorm({ size }) {
  const affine = affineParameters(size).map((values) => array(values, [size]));
  const normalize = (x, weight, bias) => nn.standardize(x, -1).mul(weight).add(bias);
  return computing(normalize, [squareMatrix(inputSeeds[0], size), ...affine], projection);
}

function elementwise({ size }) {
  const chain = (x) => np.abs(nn.relu(x.ref.mul(1.5).add(0.25)).sub(0.5)).mul(x);
  return computing(chain, [squareMatrix(inputSeeds[0], size)], projection);
}

/** Cross-entropy against one-hot targets, mean over the batch. */
const crossEntropy = (logits, targets) =>
  nn
    .logSoftmax(logits)
    .mul(targets)
    .sum()
    .mul(-1 / logits.shape[0]);

const linear = (x, weight, bias) => np.matmul(x, weight.transpose()).add(bias);

function mlpForward([w1, b1, w2, b2, w3, b3], x) {
  const hidden = nn.relu(linear(nn.relu(linear(x, w1, b1)), w2, b2));
  return linear(hidden, w3, b3);
}

const averagePool = (x) => lax.reduceWindow(x, np.mean, [2, 2], [2, 2]);

function convolution(x, weight, bias, padding) {
  const pads = [
    [padding, padding],
    [padding, padding],
  ];
  return lax.convGeneralDilated(x, weight, [1, 1], pads).add(bias.reshape([-1, 1, 1]));
}

function lenetForward([w1, b1, w2, b2, w3, b3, w4, b4, w5, b5], x) {
  const first = averagePool(nn.sigmoid(convolution(x, w1, b1, 2)));
  const second = averagePool(nn.sigmoid(convolution(first, w2, b2, 0)));
  const features = second.reshape([second.shape[0], -1]);
  const hidden = nn.sigmoid(linear(nn.sigmoid(linear(features, w3, b3)), w4, b4));
  return linear(hidden, w5, b5);
}

/** An optimizer as optax has them: `init(parameters)` and `update(parameters, gradients, state)`, both pure. */
const sgd = (learningRate) => ({
  init: () => [],
  update: (parameters, gradients) => [parameters.map((p, i) => p.sub(gradients[i].mul(learningRate))), []],
});

/** Kingma and Ba (2015), algorithm 1; the two powers of the decay rates are part of the state. */
const adam = (learningRate, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8) => ({
  init: (parameters) => [
    np.array([1, 1], { dtype: np.float32 }),
    ...parameters.map((p) => np.zeros(p.shape)),
    ...parameters.map((p) => np.zeros(p.shape)),
  ],
  update(parameters, gradients, [powers, ...moments]) {
    const next = powers.mul(np.array([beta1, beta2], { dtype: np.float32 }));
    const correction = np.array(1, { dtype: np.float32 }).sub(next.ref);
    const [correction1, correction2] = [correction.ref.slice(0), correction.slice(1)];
    const count = parameters.length;
    const first = gradients.map((g, i) => moments[i].mul(beta1).add(g.ref.mul(1 - beta1)));
    const second = gradients.map((g, i) => moments[count + i].mul(beta2).add(np.square(g).mul(1 - beta2)));
    const updated = parameters.map((p, i) => {
      const scale = np.sqrt(second[i].ref.div(correction2.ref)).add(epsilon);
      return p.sub(first[i].ref.div(correction1.ref).div(scale).mul(learningRate));
    });
    tree.dispose([correction1, correction2]);
    return [updated, [next, ...first, ...second]];
  },
});

async function training(model, forward, optimizer, inputs) {
  const targets = nn.oneHot(np.array(labels(inputs.shape[0]), { dtype: np.int32 }), classCount);
  let parameters = initialParameters(model).map((values, i) => array(values, modelRecipes[model][i].shape));
  let state = optimizer.init(parameters);
  const lossOf = (weights, x, y) => crossEntropy(forward(weights, x), y);
  const update = jit((weights, optimizerState, x, y) => {
    const [loss, gradients] = valueAndGrad(lossOf)(tree.ref(weights), x, y);
    return [loss, optimizer.update(weights, gradients, optimizerState)];
  });
  await blockUntilReady([parameters, state, inputs, targets]);
  let lastLoss;
  return {
    version,
    threads,
    async step() {
      const [loss, [nextParameters, nextState]] = update(parameters, state, inputs.ref, targets.ref);
      parameters = nextParameters;
      state = nextState;
      await blockUntilReady([parameters, state]);
      lastLoss = await loss.jsAsync();
    },
    check: async () => lastLoss,
  };
}

await serve("jax-js", {
  matmul,
  softmax,
  layernorm,
  elementwise,
  mlp: ({ batchSize }) =>
    training("mlp", mlpForward, adam(1e-3), array(uniform(inputSeeds[0], batchSize * 784), [batchSize, 784])),
  lenet: ({ batchSize }) =>
    training("lenet", lenetForward, sgd(0.1), array(uniform(inputSeeds[0], batchSize * 784), [batchSize, 1, 28, 28])),
});
