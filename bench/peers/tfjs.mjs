// TensorFlow.js's side of the bench, for its WebAssembly backend (XNNPACK) and its plain JavaScript one; the job's
// `backend` says which. Images are [N, H, W, C] here, its native layout, and weights are turned to match.

import { createRequire } from "node:module";
import { dirname, sep } from "node:path";
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
import { lendWorkersToTensorFlow } from "./web-workers.mjs";

const require = createRequire(import.meta.url);
const job = JSON.parse(process.argv[2]);
const threads = job.backend === "wasm" ? job.threads : 1;
if (threads > 1) lendWorkersToTensorFlow(threads);
const tf = require("@tensorflow/tfjs");

async function startBackend() {
  if (job.backend === "wasm") {
    // This build keeps the worker's script whole, free of the helpers that an ES5 build scatters over its module.
    const path = require.resolve("@tensorflow/tfjs-backend-wasm/dist/tf-backend-wasm.es2017.js");
    const wasm = require(path);
    wasm.setWasmPaths(dirname(path) + sep);
    // Off in Node by default, for want of workers.
    tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", threads > 1);
    wasm.setThreadsCount(threads);
    if (!(await tf.setBackend("wasm"))) throw new Error("TensorFlow.js could not start its wasm backend");
    return wasm.getThreadsCount();
  }
  await tf.setBackend("cpu");
  return 1;
}

/** A workload that computes one tensor. `fingerprint` tells its values in one number. */
function computing(threads, compute, fingerprint) {
  let result;
  return {
    version: tf.version.tfjs,
    threads,
    async step() {
      result?.dispose();
      result = tf.tidy(compute); // both backends compute before they return
    },
    check: async () => fingerprint(await result.data()),
  };
}

const squareMatrix = (seed, size) => tf.tensor2d(uniform(seed, size * size), [size, size]);

async function matmul({ size }) {
  const threads = await startBackend();
  const [a, b] = inputSeeds.map((seed) => squareMatrix(seed, size));
  return computing(threads, () => tf.matMul(a, b), meanMagnitude);
}

async function softmax({ size }) {
  const threads = await startBackend();
  const x = squareMatrix(inputSeeds[0], size);
  return computing(threads, () => tf.softmax(x, -1), projection);
}

async function layernorm({ size }) {
  const threads = await startBackend();
  const x = squareMatrix(inputSeeds[0], size);
  const [weight, bias] = affineParameters(size).map((values) => tf.tensor1d(values));
  const normalize = () => {
    const { mean, variance } = tf.moments(x, -1, true);
    return x
      .sub(mean)
      .mul(tf.rsqrt(variance.add(1e-5)))
      .mul(weight)
      .add(bias);
  };
  return computing(threads, normalize, projection);
}

async function elementwise({ size }) {
  const threads = await startBackend();
  const x = squareMatrix(inputSeeds[0], size);
  return computing(threads, () => x.mul(1.5).add(0.25).relu().sub(0.5).abs().mul(x), projection);
}

/** The weights of a linear layer as [in, out]; those of a convolution as [height, width, in, out]. */
function variables(model) {
  return initialParameters(model).map((values, index) => {
    const { shape } = modelRecipes[model][index];
    const order = { 1: [0], 2: [1, 0], 4: [2, 3, 1, 0] }[shape.length];
    return tf.variable(tf.tidy(() => tf.tensor(values, shape).transpose(order)));
  });
}

const linear = (x, weight, bias) => tf.matMul(x, weight).add(bias);

function mlpForward([w1, b1, w2, b2, w3, b3], x) {
  return linear(tf.relu(linear(tf.relu(linear(x, w1, b1)), w2, b2)), w3, b3);
}

function lenetForward([w1, b1, w2, b2, w3, b3, w4, b4, w5, b5], x) {
  const first = tf.avgPool(tf.sigmoid(tf.conv2d(x, w1, 1, "same").add(b1)), 2, 2, "valid");
  const second = tf.avgPool(tf.sigmoid(tf.conv2d(first, w2, 1, "valid").add(b2)), 2, 2, "valid");
  const features = second.reshape([second.shape[0], -1]);
  return linear(tf.sigmoid(linear(tf.sigmoid(linear(features, w3, b3)), w4, b4)), w5, b5);
}

async function training(forward, weights, optimizer, threads, inputs) {
  const targets = tf.oneHot(tf.tensor1d(labels(inputs.shape[0]), "int32"), classCount);
  let lastLoss;
  return {
    version: tf.version.tfjs,
    threads,
    async step() {
      const loss = optimizer.minimize(
        () => tf.losses.softmaxCrossEntropy(targets, forward(weights, inputs)),
        true,
        weights,
      );
      [lastLoss] = await loss.data();
      loss.dispose();
    },
    check: async () => lastLoss,
  };
}

async function mlp({ batchSize }) {
  const threads = await startBackend();
  const inputs = tf.tensor2d(uniform(inputSeeds[0], batchSize * 784), [batchSize, 784]);
  return training(mlpForward, variables("mlp"), tf.train.adam(1e-3, 0.9, 0.999, 1e-8), threads, inputs);
}

/** Features reach the first linear layer as [height, width, channels] here and as [channels, height, width] elsewhere. */
function lenetVariables() {
  return variables("lenet").map((variable, index) => {
    if (index !== 4) return variable;
    return tf.variable(tf.tidy(() => variable.reshape([16, 5, 5, 120]).transpose([1, 2, 0, 3]).reshape([400, 120])));
  });
}

async function lenet({ batchSize }) {
  const threads = await startBackend();
  const inputs = tf.tensor4d(uniform(inputSeeds[0], batchSize * 784), [batchSize, 28, 28, 1]);
  return training(lenetForward, lenetVariables(), tf.train.sgd(0.1), threads, inputs);
}

await serve(`TensorFlow.js (${job.backend})`, { matmul, mlp, lenet, softmax, layernorm, elementwise });
