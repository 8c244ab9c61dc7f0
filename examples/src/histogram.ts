// Distributions of many numbers, as a report shows them.

/** The standard deviation. */
export function spread(values: ArrayLike<number>): number {
  let [sum, squares] = [0, 0];
  for (let i = 0; i < values.length; i++) sum += values[i];
  const mean = sum / values.length;
  for (let i = 0; i < values.length; i++) squares += (values[i] - mean) ** 2;
  return Math.sqrt(squares / values.length);
}

/** Shares of all numbers in equal bins from the least to the greatest: [middle of the bin, share]. */
export function density(values: ArrayLike<number>, bins = 40): [number, number][] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < values.length; i++) {
    low = Math.min(low, values[i]);
    high = Math.max(high, values[i]);
  }
  if (!(high > low)) return values.length === 0 ? [] : [[low, 1]];
  const counts = new Array<number>(bins).fill(0);
  const width = (high - low) / bins;
  for (let i = 0; i < values.length; i++) counts[Math.min(bins - 1, Math.floor((values[i] - low) / width))]++;
  return counts.map((count, bin) => [low + (bin + 0.5) * width, count / values.length]);
}
