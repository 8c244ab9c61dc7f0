// What a model's first layer looks for, as pictures: the kernels of a first convolution, or the rows of a first linear
// layer where they are squares of pixels. Leans on nn.

import { type AnyModule, Conv2d, Linear } from "../nn/index.ts";
import { pictureOf } from "./pictures.ts";
import type { PlainImage } from "./png.ts";

/** More cannot be taken in at a glance. */
const MOST_FILTERS = 64;

/** The first layer's filters; none where it has none that can be looked at. */
export async function firstLayerFilters(model: AnyModule): Promise<PlainImage[]> {
  const first = model.modules().find((module) => module instanceof Conv2d || module instanceof Linear);
  const shape = filterShape(first);
  if (first === undefined || shape === null) return [];
  const { weight } = first as Conv2d | Linear;
  const values = await weight.data();
  const size = weight.numel() / weight.shape[0];
  const count = Math.min(weight.shape[0], MOST_FILTERS);
  return Array.from({ length: count }, (_, i) => pictureOf(values.subarray(i * size, (i + 1) * size), shape));
}

/** [channels, height, width] of one filter. */
function filterShape(layer: AnyModule | undefined): readonly [number, number, number] | null {
  if (layer instanceof Conv2d) return layer.weight.shape.slice(1) as unknown as [number, number, number];
  if (!(layer instanceof Linear)) return null;
  const side = Math.sqrt(layer.inFeatures);
  return Number.isInteger(side) && side > 1 ? [1, side, side] : null;
}
