// Random numbers on the host, for initializers whose method has to look at its numbers as it goes. A stream of its own
// for every draw, named by the seed of the generator and by how many random tensors it has drawn, so that a seed repeats
// it and the device is not asked. Method: sfc32 of Doty-Humphrey's PractRand (three words of state and a counter), and the
// polar method of Marsaglia and Bray (1964) for normal numbers.

import type { Generator } from "../../tensor/index.ts";

/** Numbers in [0, 1) on a grid of 2^-53. Takes a place in the generator's sequence, as a random tensor would. */
function hostUniform(generator: Generator): () => number {
  const { seed, drawn } = generator.getState();
  generator.setState({ seed, drawn: drawn + 1 });
  let [a, b, c, counter] = [seed | 0, drawn | 0, 0x47726164, 1];
  const word = (): number => {
    const result = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + result) | 0;
    return result >>> 0;
  };
  // The words of the state must have met before the numbers are random.
  for (let i = 0; i < 16; i++) word();
  return () => ((word() >>> 5) * 2 ** 26 + (word() >>> 6)) / 2 ** 53;
}

/** A source of standard normal numbers of float64. */
export function hostNormal(generator: Generator): () => number {
  const uniform = hostUniform(generator);
  let spare: number | null = null;
  return () => {
    if (spare !== null) {
      const kept = spare;
      spare = null;
      return kept;
    }
    for (;;) {
      const x = 2 * uniform() - 1;
      const y = 2 * uniform() - 1;
      const square = x * x + y * y;
      if (square >= 1 || square === 0) continue;
      const scale = Math.sqrt((-2 * Math.log(square)) / square);
      spare = y * scale;
      return x * scale;
    }
  };
}
