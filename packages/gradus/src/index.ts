// Gradus: deep learning in TypeScript. This is the public face: `import * as gd from "gradus"`.

/** Datasets and how batches are made of them (`torch.utils.data`). */
export * as data from "./data/index.ts";
/** State dicts, checkpoints and arrays as bytes; `gradus/node` has what reads and writes files. */
export * as io from "./io/index.ts";
/** Layers and losses as functions (`torch.nn.functional`). */
export * as F from "./nn/functional/index.ts";
/** Layers, losses, and what models are made of (`torch.nn`). */
export * as nn from "./nn/index.ts";
/** Optimizers and learning-rate schedulers (`torch.optim`). */
export * as optim from "./optim/index.ts";
export * from "./tensor/index.ts";
/** The Trainer, its callbacks, and what runs are measured by. */
export * as train from "./train/index.ts";
