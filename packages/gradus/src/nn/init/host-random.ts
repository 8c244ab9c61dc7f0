// Normal random numbers on the host, for initializers whose method has to look at its numbers as it goes. Method: the polar
// one of Marsaglia and Bray (1964).

import { type Generator, hostUniform } from "../../tensor/index.ts";

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
