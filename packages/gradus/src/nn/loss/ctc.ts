// Connectionist temporal classification as a layer (`torch.nn.CTCLoss`).

import type { Tensor } from "../../tensor/index.ts";
import * as functional from "../functional/loss/index.ts";
import { Loss } from "./base.ts";

/**
 * Minus the logarithm of the probability of label sequences over all their alignments with the input: `F.ctcLoss`.
 *
 * @example
 * const criterion = new nn.CTCLoss({ zeroInfinity: true });
 * const logProbs = model.forward(frames).logSoftmax(2); // [T, N, C]
 * const loss = criterion.forward(logProbs, labels, [50, 42], [7, 5]); // labels: int32 [N, S]
 */
export class CTCLoss extends Loss<
  functional.CTCOptions,
  [logProbs: Tensor, targets: Tensor, inputLengths: functional.Lengths, targetLengths: functional.Lengths]
> {
  forward(
    logProbs: Tensor,
    targets: Tensor,
    inputLengths: functional.Lengths,
    targetLengths: functional.Lengths,
  ): Tensor {
    return functional.ctcLoss(logProbs, targets, inputLengths, targetLengths, this.options);
  }
}
