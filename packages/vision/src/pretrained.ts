// Trained models that come with this package, as half-precision safetensors files in its folder `weights`. Node only.

import { fileURLToPath } from "node:url";
import type { nn } from "gradus";
import { loadSafetensors } from "gradus/node";
import { DcganGenerator } from "./models/dcgan.ts";
import { digitNet } from "./models/digit-net.ts";
import type { ResNet } from "./models/resnet.ts";
import { smallResNet } from "./models/small-resnet.ts";

/** What each name stands for. Which script, options and seed made a file stands in its metadata and in weights/README.md. */
export interface PretrainedModels {
  /** Tells digits: `digitNet()`, for normalized images, [N, 1, 28, 28] (`Digits.normalization`). */
  readonly "mnist-contest": nn.Sequential;
  /** Tells clothes: `smallResNet()`, for normalized images, [N, 1, 28, 28] (`FashionMNIST.normalization`). */
  readonly "fashion-resnet": ResNet;
  /** Draws digits: latent vectors [N, 100, 1, 1] to images [N, 1, 32, 32] within -1 and 1. */
  readonly dcgan: DcganGenerator;
}

/** The names that `pretrained` knows. */
export type PretrainedName = keyof PretrainedModels;

const CREATE: { readonly [Name in PretrainedName]: () => PretrainedModels[Name] } = {
  "mnist-contest": () => digitNet(),
  "fashion-resnet": () => smallResNet(),
  dcgan: () => new DcganGenerator({ channels: 1, imageSize: 32, features: 32 }),
};

/**
 * A trained model, in evaluation mode.
 *
 * @example
 * const classifier = await pretrained("mnist-contest");
 * const classes = classifier.forward(images).argmax(1);
 *
 * @throws FileFormatError if the package's file is damaged
 */
export async function pretrained<Name extends PretrainedName>(name: Name): Promise<PretrainedModels[Name]> {
  const model = CREATE[name]();
  model.loadStateDict(await loadSafetensors(fileURLToPath(new URL(`../weights/${name}.safetensors`, import.meta.url))));
  model.eval();
  return model;
}
