// Connectionist temporal classification: the likelihood of a sequence of labels under frames whose alignment with it is not
// known, summed over all alignments. Method: the forward recursion of Graves, Fernández, Gomez and Schmidhuber (ICML 2006),
// section 4.1, on logarithms. Every time step is a step of the graph, so that the gradient is the recursion's own.

import {
  ArgumentError,
  arange,
  cat,
  DTypeError,
  isFloat,
  isTensor,
  ShapeError,
  type Tensor,
  tensor,
  where,
} from "../../../tensor/index.ts";
import { type LossOptions, reduce } from "./reduction.ts";

/** Options of `ctcLoss`. With "mean" each sequence's loss is first divided by the length of its target. */
export interface CTCOptions extends LossOptions {
  /** The class that stands for no label. Default 0. */
  readonly blank?: number;
  /** Whether targets that no alignment reaches, such as ones longer than the input, cost 0 instead of infinity. Default false. */
  readonly zeroInfinity?: boolean;
}

/** A length for each sequence of a batch, [N], or the one of a single sequence. */
export type Lengths = Tensor | readonly number[] | number;

/** The logarithm of next to nothing. Finite, so that the difference of two is a number. */
const never = -1e30;

/** log(exp(a) + exp(b) + exp(c)) along a new dimension in front. */
function logAdd(terms: readonly Tensor[]): Tensor {
  const peak = terms.map((term) => term.detach()).reduce((a, b) => where(a.lt(b), b, a));
  return terms
    .map((term) => term.sub(peak).exp())
    .reduce((a, b) => a.add(b))
    .log()
    .add(peak);
}

/** Lengths as an int32 tensor [N]. Plain numbers are held against the limit; those of a tensor are not known here. */
function lengthsOf(name: string, lengths: Lengths, batch: number, limit: number): Tensor {
  const numbers = typeof lengths === "number" ? [lengths] : lengths;
  const wrong = isTensor(numbers) ? undefined : numbers.find((length) => !(length >= 0 && length <= limit));
  if (wrong !== undefined) {
    throw new ArgumentError(
      "ctcLoss",
      `${wrong} of ${name} is not within 0 and ${limit}`,
      "Give the lengths of what there is.",
    );
  }
  const given = isTensor(numbers) ? numbers : tensor([...numbers], { dtype: "int32" });
  if (isFloat(given.dtype)) {
    throw new DTypeError("ctcLoss", [given.dtype], `${name} must be integers`, 'Cast them with .to("int32").');
  }
  if (given.numel() !== batch) {
    throw new ShapeError("ctcLoss", [given.shape], `there must be one of ${name} for each of ${batch} sequences`);
  }
  return given.to("int32").reshape([batch]);
}

/** Targets one after another as rows [N, S], filled up with zeros. */
function rowsOf(targets: Tensor, lengths: Lengths, batch: number): Tensor {
  if (isTensor(lengths)) {
    throw new ArgumentError(
      "ctcLoss",
      "targets one after another can only be told apart by lengths that are plain numbers",
      "Give targetLengths as an array, or targets as rows [N, S].",
    );
  }
  const counts = typeof lengths === "number" ? [lengths] : lengths;
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (counts.length !== batch || total !== targets.numel()) {
    throw new ShapeError(
      "ctcLoss",
      [targets.shape],
      `${counts.length} lengths that add up to ${total} do not fit ${batch} sequences`,
    );
  }
  const longest = Math.max(0, ...counts);
  return cat(targets.split(counts).map((row, i) => row.pad([0, longest - counts[i]]).unsqueeze(0)));
}

/**
 * Minus the logarithm of the probability of target sequences, over all their alignments with the input (`ctc_loss`).
 * "mean" divides the loss of every sequence by the length of its target first, as PyTorch does. The program has a few
 * kernels for every frame, so the first step with some hundred frames takes seconds to compile.
 * @param logProbs log-probabilities of every frame, [T, N, C], or [T, C] for a single sequence
 * @param targets labels of integers, without blanks: [N, S] filled up with anything, or all one after another [sum of
 *   lengths], or [S] for a single sequence
 * @param inputLengths how many frames count, each at most T
 * @param targetLengths how many labels count, each at most S; a tensor's that is more costs infinity
 * @throws ShapeError, DTypeError, ArgumentError if these do not fit together
 *
 * @example
 * const logProbs = model.forward(frames).logSoftmax(2); // [T, N, C]
 * const loss = F.ctcLoss(logProbs, labels, [50, 42], [7, 5]);
 */
export function ctcLoss(
  logProbs: Tensor,
  targets: Tensor,
  inputLengths: Lengths,
  targetLengths: Lengths,
  { reduction = "mean", blank = 0, zeroInfinity = false }: CTCOptions = {},
): Tensor {
  if (logProbs.ndim === 2) {
    const single = targets.reshape([1, -1]);
    const batched = ctcLoss(logProbs.unsqueeze(1), single, inputLengths, targetLengths, {
      reduction,
      blank,
      zeroInfinity,
    });
    return reduction === "none" ? batched.reshape([]) : batched;
  }
  if (logProbs.ndim !== 3 || logProbs.shape[0] === 0) {
    throw new ShapeError(
      "ctcLoss",
      [logProbs.shape],
      "log-probabilities must be [T, N, C] or [T, C], with a frame or more",
    );
  }
  const [frames, batch, classes] = logProbs.shape;
  if (!(Number.isInteger(blank) && blank >= 0 && blank < classes)) {
    throw new ArgumentError("ctcLoss", `the blank ${blank} is none of ${classes} classes`, `Use 0 to ${classes - 1}.`);
  }
  if (isFloat(targets.dtype)) {
    throw new DTypeError("ctcLoss", [targets.dtype], "labels must be integers", 'Cast the targets with .to("int32").');
  }
  const rows = targets.ndim === 1 ? rowsOf(targets, targetLengths, batch) : targets;
  if (rows.ndim !== 2 || rows.shape[0] !== batch) {
    throw new ShapeError(
      "ctcLoss",
      [logProbs.shape, targets.shape],
      `targets must be [${batch}, S] or one after another`,
    );
  }
  const frameCounts = lengthsOf("inputLengths", inputLengths, batch, frames).unsqueeze(1);
  const labelCounts = lengthsOf("targetLengths", targetLengths, batch, rows.shape[1]).unsqueeze(1);
  const { emissions, mayJump } = alignmentStates(logProbs, rows.to("int32"), labelCounts, blank);
  const states = emissions.shape[2];
  const state = arange(states);
  const at = (frame: number): Tensor => emissions.select(0, frame);
  const shifted = (alpha: Tensor, by: number): Tensor => alpha.pad([by, 0], never).narrow(1, 0, states);
  // alpha[n, s]: the logarithm of the probability of all ways to be in state s after the frames so far.
  let alpha = where(state.lt(2), at(0), never);
  for (let frame = 1; frame < frames; frame++) {
    const jumped = where(mayJump, shifted(alpha, 2), never);
    const next = logAdd([alpha, shifted(alpha, 1), jumped]).add(at(frame));
    alpha = where(frameCounts.gt(frame), next, alpha);
  }
  // An alignment ends in the last label or in the blank after it.
  const end = labelCounts.mul(2);
  const isEnd = state.eq(end).logicalOr(state.eq(end.sub(1)));
  const loss = where(isEnd, alpha, never).logsumexp(1).neg();
  const result = where(loss.gt(-never / 2), zeroInfinity ? 0 : Number.POSITIVE_INFINITY, loss);
  if (reduction !== "mean") return reduce("ctcLoss", result, reduction);
  return result.div(labelCounts.squeeze(1).clamp(1).to(result.dtype)).mean();
}

interface States {
  /** [T, N, 2 S + 1]: the log-probability of each state's class in each frame. */
  readonly emissions: Tensor;
  /** [N, 2 S + 1]: whether a state can be reached from the last but one: a label that differs from the label before. */
  readonly mayJump: Tensor;
}

/** The states of alignments: the labels, with blanks between, before and after them. */
function alignmentStates(logProbs: Tensor, rows: Tensor, labelCounts: Tensor, blank: number): States {
  const [frames, batch, classes] = logProbs.shape;
  const count = rows.shape[1];
  const counted = where(arange(count).lt(labelCounts), rows, blank);
  // A label that is no class makes NaN rather than reading another's.
  const unknown = counted.lt(0).logicalOr(counted.ge(classes)).any(1).reshape([1, batch, 1]);
  const labels = counted.clamp(0, classes - 1);
  const between = labels
    .unsqueeze(2)
    .pad([1, 0], blank)
    .reshape([batch, 2 * count]);
  const extended = between.pad([0, 1], blank);
  const index = extended.unsqueeze(0).expand([frames, batch, 2 * count + 1]);
  const emissions = logProbs.gather(2, index).clamp(never);
  const before = extended.pad([2, 0], blank).narrow(1, 0, 2 * count + 1);
  const mayJump = extended.ne(blank).logicalAnd(extended.ne(before));
  return { emissions: where(unknown, Number.NaN, emissions), mayJump };
}
