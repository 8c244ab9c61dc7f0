// Gives a model with lazy layers its sizes and its initial weights: both need one look at an example, and neither computes
// anything. Leans on gradus as any user does.

import { nn, noGrad, type Tensor, zeros } from "gradus";

/** Shows a model zeros of some shape, so that its lazy layers know their sizes. */
export function materialize<M extends nn.Module<[Tensor], Tensor>>(model: M, inputShape: readonly number[]): M {
  const modes = model.modules().map((module) => [module, module.training] as const);
  // In evaluation, so that running statistics stay as they are.
  model.eval();
  noGrad(() => model.forward(zeros(inputShape)));
  for (const [module, mode] of modes) module.training = mode;
  return model;
}

/** Xavier's uniform distribution for the weights of a linear or convolutional layer (Glorot and Bengio, 2010). */
export function initializeXavier(module: nn.AnyModule): void {
  if (module instanceof nn.Linear || module instanceof nn.Conv2d) nn.init.xavierUniform_(module.weight);
}
