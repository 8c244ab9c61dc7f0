// Numbers that hang on a name alone, the same here and in tools/golden_vision.py, so that golden data of a large model needs
// none of its weights: FNV-1a of the name, and for each place the finalizer of MurmurHash3 (A. Appleby).

/** `count` numbers from -1 to 1, each of 24 bits and so exact in float32. */
export function hashed(key: string, count: number): Float64Array {
  let seed = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(key)) seed = Math.imul(seed ^ byte, 0x01000193);
  return Float64Array.from({ length: count }, (_, i) => {
    let h = (Math.imul(i, 0x9e3779b1) + seed) | 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h ^= h >>> 16;
    return ((h >>> 8) * 2 + 1) / 2 ** 24 - 1;
  });
}

/** What a tensor of a ResNet's state dict begins with: `filled` of tools/golden_vision.py. */
export function filled(key: string, shape: readonly number[]): Float32Array {
  const count = shape.reduce((product, extent) => product * extent, 1);
  const values = hashed(key, count);
  const [scale, center] =
    shape.length === 4
      ? [Math.sqrt(6 / (shape[1] * shape[2] * shape[3])), 0]
      : shape.length === 2
        ? [Math.sqrt(3 / shape[1]), 0]
        : key.endsWith("running_var") || key.endsWith("weight")
          ? [0.25, 1]
          : [0.25, 0];
  return Float32Array.from(values, (value) => value * scale + center);
}
