// Transposing in registers: blocks of a matrix change places, then blocks of half the size within them, and so on
// (Eklundh, "A fast computer method for matrix transposing", 1972).

import type { Builder } from "../builder.ts";
import type { Expression } from "../ir.ts";

/**
 * The columns of a matrix whose rows are vectors.
 * @param rows at most as many as there are lanes
 * @returns as many vectors as there are lanes, in the order of the lanes; each begins with a lane from every row, and what
 * follows is arbitrary
 */
export function transposed(build: Builder, rows: readonly Expression[], lanes: number): Expression[] {
  // Where half as many vectors hold all rows, each has two columns in the end.
  const size = rows.length <= lanes / 2 ? lanes / 2 : lanes;
  const zero = build.splat(build.constant(0, rows[0].kind), lanes);
  const matrix = Array.from({ length: size }, (_, row) => rows[row] ?? zero);
  const pattern = (from: (lane: number) => number): number[] => Array.from({ length: lanes }, (_, lane) => from(lane));
  for (let block = size / 2; block >= 1; block /= 2) {
    const upper = pattern((lane) => ((lane & block) === 0 ? lane : lanes + lane - block));
    const lower = pattern((lane) => ((lane & block) === 0 ? lane + block : lanes + lane));
    for (let row = 0; row < size; row++) {
      if ((row & block) !== 0) continue;
      const [a, b] = [matrix[row], matrix[row + block]];
      matrix[row] = build.shuffle(a, b, upper);
      matrix[row + block] = build.shuffle(a, b, lower);
    }
  }
  if (size === lanes) return matrix;
  const second = pattern((lane) => (lane + size) % lanes);
  return [...matrix, ...matrix.map((vector) => build.shuffle(vector, vector, second))];
}
