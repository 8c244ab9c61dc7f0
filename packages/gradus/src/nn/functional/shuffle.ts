// Exchange of channels and pixels, as reshapes and permutations (`torch.nn.functional`, vision functions).

import { ArgumentError, ShapeError, type Tensor } from "../../tensor/index.ts";

function checkFactor(operation: string, name: string, factor: number): void {
  if (!Number.isInteger(factor) || factor < 1) {
    throw new ArgumentError(operation, `${name} is ${factor}`, "Use an integer from 1.");
  }
}

function checkImage(operation: string, x: Tensor): void {
  if (x.ndim < 3) {
    throw new ShapeError(operation, [x.shape], `${x.ndim} dimensions are no image`, "Give it [..., C, H, W].");
  }
}

/**
 * Channels become pixels (`torch.nn.functional.pixel_shuffle`; Shi et al., 2016).
 * @param x [..., C r^2, H, W]
 * @param upscaleFactor r, an integer from 1
 * @returns [..., C, r H, r W]
 * @throws ShapeError unless r^2 divides the number of channels
 */
export function pixelShuffle(x: Tensor, upscaleFactor: number): Tensor {
  checkFactor("pixelShuffle", "upscaleFactor", upscaleFactor);
  checkImage("pixelShuffle", x);
  const r = upscaleFactor;
  const batch = x.shape.slice(0, -3);
  const [channels, height, width] = x.shape.slice(-3);
  if (channels % r ** 2 !== 0) {
    throw new ShapeError(
      "pixelShuffle",
      [x.shape],
      `${channels} channels cannot be divided by ${r} x ${r}`,
      "Make the layer before it with a multiple of that.",
    );
  }
  const count = batch.length;
  return x
    .reshape([...batch, channels / r ** 2, r, r, height, width])
    .permute([...batch.keys(), count, count + 3, count + 1, count + 4, count + 2])
    .reshape([...batch, channels / r ** 2, height * r, width * r]);
}

/**
 * Pixels become channels, the inverse of `pixelShuffle` (`torch.nn.functional.pixel_unshuffle`).
 * @param x [..., C, r H, r W]
 * @param downscaleFactor r, an integer from 1
 * @returns [..., C r^2, H, W]
 * @throws ShapeError unless r divides height and width
 */
export function pixelUnshuffle(x: Tensor, downscaleFactor: number): Tensor {
  checkFactor("pixelUnshuffle", "downscaleFactor", downscaleFactor);
  checkImage("pixelUnshuffle", x);
  const r = downscaleFactor;
  const batch = x.shape.slice(0, -3);
  const [channels, height, width] = x.shape.slice(-3);
  if (height % r !== 0 || width % r !== 0) {
    throw new ShapeError(
      "pixelUnshuffle",
      [x.shape],
      `${height} x ${width} cannot be divided into squares of ${r} x ${r}`,
      "Pad or crop the image first.",
    );
  }
  const count = batch.length;
  return x
    .reshape([...batch, channels, height / r, r, width / r, r])
    .permute([...batch.keys(), count, count + 2, count + 4, count + 1, count + 3])
    .reshape([...batch, channels * r ** 2, height / r, width / r]);
}

/**
 * Channels in another order: the first of every group, then the second of every group, and so on
 * (`torch.nn.functional.channel_shuffle`).
 * @param x [N, C, ...]
 * @param groups an integer from 1
 * @throws ShapeError unless it divides the number of channels
 */
export function channelShuffle(x: Tensor, groups: number): Tensor {
  checkFactor("channelShuffle", "groups", groups);
  if (x.ndim < 2 || x.shape[1] % groups !== 0) {
    throw new ShapeError(
      "channelShuffle",
      [x.shape],
      `${x.shape[1] ?? 0} channels cannot be divided into ${groups} groups`,
      "Use a number of groups that divides the number of channels.",
    );
  }
  return x
    .unflatten(1, [groups, x.shape[1] / groups])
    .transpose(1, 2)
    .flatten(1, 2);
}
