// All recipes, in the order of the course.

import type { Recipe } from "../recipe.ts";
import { cifar100 } from "./cifar100.ts";
import { dcgan } from "./dcgan.ts";
import { fashionResnet } from "./fashion-resnet.ts";
import { initialization } from "./initialization.ts";
import { mnistContest } from "./mnist-contest.ts";
import { normalization } from "./normalization.ts";
import { transfer } from "./transfer.ts";

export const RECIPES: readonly Recipe[] = [
  initialization,
  mnistContest,
  normalization,
  fashionResnet,
  cifar100,
  transfer,
  dcgan,
];
