// What the command can train, and on what: tables. The recipes are tuned on the digits, for two cores and two minutes.

import { LeNet, mlp, modernLeNet } from "@gradus/vision";
import { Digits, FashionMNIST, type ImageDatasetSource, MNIST, type MnistName } from "@gradus/vision/node";
import type { nn } from "gradus";

export const MODEL_NAMES = ["modern-lenet", "lenet", "mlp"] as const;
export type ModelName = (typeof MODEL_NAMES)[number];

export const DATA_NAMES = ["digits", "mnist", "fashion-mnist"] as const;
export type DataName = (typeof DATA_NAMES)[number];

/** A model, and how it is trained unless options say otherwise: Adam, with one cycle of the learning rate. */
export interface Recipe {
  readonly create: () => nn.Module;
  readonly epochs: number;
  readonly batchSize: number;
  /** The highest learning rate of the cycle. */
  readonly lr: number;
}

export const RECIPES: Readonly<Record<ModelName, Recipe>> = {
  "modern-lenet": { create: () => modernLeNet(), epochs: 6, batchSize: 64, lr: 0.005 },
  lenet: { create: () => new LeNet(), epochs: 15, batchSize: 64, lr: 0.01 },
  mlp: { create: () => mlp(), epochs: 10, batchSize: 64, lr: 0.002 },
};

export interface DataRow {
  readonly source: ImageDatasetSource;
  /** What `--download` fetches; null for data that are there. */
  readonly download: MnistName | null;
}

export const DATA: Readonly<Record<DataName, DataRow>> = {
  digits: { source: Digits, download: null },
  mnist: { source: MNIST, download: "mnist" },
  "fashion-mnist": { source: FashionMNIST, download: "fashion-mnist" },
};
