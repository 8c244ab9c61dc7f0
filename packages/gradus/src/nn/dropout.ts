// Dropout as a layer (`torch.nn.Dropout`).

import type { Tensor } from "../tensor/index.ts";
import { checkProbability, dropout } from "./functional/dropout.ts";
import { Module } from "./module.ts";

/** Sets elements to 0 with probability p in training, and scales the others up; does nothing in evaluation. */
export class Dropout extends Module {
  constructor(readonly p = 0.5) {
    super();
    checkProbability("Dropout", p);
  }

  forward(x: Tensor): Tensor {
    return dropout(x, this.p, { training: this.training });
  }

  override extraRepr(): string {
    return `p=${this.p}`;
  }
}
