// Sequences of different lengths in one batch (`torch.nn.utils.rnn`): padded to one length, with a mask of the padding.

import { ArgumentError, arange, isTensor, ShapeError, stack, type Tensor, tensor } from "../tensor/index.ts";

/** Options of `padSequence`. */
export interface PadSequenceOptions {
  /** Whether the result is [N, L, ...] instead of [L, N, ...]. Default false. */
  readonly batchFirst?: boolean;
  /** What the places behind a sequence's end hold. Default 0. */
  readonly paddingValue?: number;
}

/**
 * Sequences as one tensor, the shorter ones filled up at their end (`torch.nn.utils.rnn.pad_sequence`).
 * @param sequences each [its length, ...rest], with one rest
 * @returns [longest length, N, ...rest], or with `batchFirst` [N, longest length, ...rest]
 * @throws ArgumentError if there is no sequence; ShapeError if they differ in more than their lengths
 *
 * @example
 * nn.utils.rnn.padSequence([gd.ones([5, 3]), gd.ones([2, 3])]).shape // [5, 2, 3]
 */
export function padSequence(
  sequences: readonly Tensor[],
  { batchFirst = false, paddingValue = 0 }: PadSequenceOptions = {},
): Tensor {
  const [first] = sequences;
  if (first === undefined) {
    throw new ArgumentError("padSequence", "there is no sequence to pad", "Pass one sequence or more.");
  }
  for (const { shape } of sequences) {
    if (shape.length === 0 || shape.slice(1).join() !== first.shape.slice(1).join()) {
      throw new ShapeError(
        "padSequence",
        [first.shape, shape],
        "sequences may differ in their first dimension only",
        "Give each the shape [length, ...rest] with the same rest.",
      );
    }
  }
  const longest = Math.max(...sequences.map(({ shape }) => shape[0]));
  const padded = sequences.map((sequence) => {
    const inner = new Array<number>(2 * (sequence.ndim - 1)).fill(0);
    return sequence.pad([...inner, 0, longest - sequence.shape[0]], paddingValue);
  });
  return stack(padded, batchFirst ? 0 : 1);
}

/**
 * Which places of padded sequences are padding: what attention takes as its `keyPaddingMask`.
 * @param lengths of N sequences, as numbers or an integer tensor [N]
 * @param maxLength L; must be given for a tensor. Default: the longest
 * @returns bool [N, L], true from a sequence's length on
 * @throws ArgumentError if L is not known; ShapeError for lengths that are no list
 */
export function paddingMask(lengths: readonly number[] | Tensor, maxLength?: number): Tensor {
  if (isTensor(lengths)) {
    if (lengths.ndim !== 1) throw new ShapeError("paddingMask", [lengths.shape], "lengths must be a list, [N]");
    if (maxLength === undefined) {
      throw new ArgumentError("paddingMask", "how long the padded sequences are is not known", "Pass maxLength.");
    }
    return arange(maxLength).unsqueeze(0).ge(lengths.unsqueeze(1));
  }
  return paddingMask(tensor(Int32Array.from(lengths)), maxLength ?? Math.max(0, ...lengths));
}
