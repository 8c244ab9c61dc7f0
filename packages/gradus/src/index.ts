// Gradus: deep learning in TypeScript. This is the public face: `import * as gd from "gradus"`.

export * as data from "./data/index.ts";
export * as io from "./io/index.ts";
export * as F from "./nn/functional/index.ts";
export * as nn from "./nn/index.ts";
export * as optim from "./optim/index.ts";
export * from "./tensor/index.ts";
export * as train from "./train/index.ts";
