// What loss layers share: options that are kept and handed to the function of `nn.functional`, which does the work.

import type { Tensor } from "../../tensor/index.ts";
import { Module } from "../module.ts";

/** A loss: its options, and a forward pass from input and target, or whatever else it takes. */
export abstract class Loss<
  Options extends object,
  Inputs extends readonly unknown[] = [input: Tensor, target: Tensor],
> extends Module<Inputs> {
  /** As they were given; the function of `nn.functional` fills in the defaults. */
  protected readonly options: Options;

  /** @param options see the function of `nn.functional`; all have PyTorch's defaults */
  constructor(options: Options = {} as Options) {
    super();
    this.options = options;
  }
}

/** A loss with a weight, which is a buffer: it is part of the state dict, under PyTorch's key "weight". */
export abstract class WeightedLoss<Options extends { readonly weight?: Tensor | null }> extends Loss<Options> {
  /** A copy of the option of that name; undefined without one. */
  declare readonly weight?: Tensor;

  /** @param options see the function of `nn.functional`; all have PyTorch's defaults */
  constructor(options: Options = {} as Options) {
    super(options);
    if (options.weight) this.registerBuffer("weight", options.weight);
  }

  /** The options with the buffer in place of the tensor that it was made from. */
  protected get weighted(): Options {
    return { ...this.options, weight: this.weight };
  }
}
