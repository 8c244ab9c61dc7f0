// The machine as the compiler sees it: how wide its vectors are, and the register tiles that suit them.

import type { Target, TileShape } from "../../../compiler/index.ts";

interface VectorUnit {
  readonly name: string;
  /** The macro by which compilers tell that the unit is there. */
  readonly macro: string | null;
  readonly lanes: number;
  /** As many accumulators as registers allow, with one for a row's element and one for each vector of a row. */
  readonly tiles: readonly TileShape[];
}

const tile = (rows: number, columns: number): TileShape => ({ rows, columns });

/** The widest first. */
const vectorUnits: readonly VectorUnit[] = [
  { name: "avx512", macro: "__AVX512F__", lanes: 16, tiles: [tile(14, 32), tile(8, 48), tile(6, 64), tile(1, 64)] },
  { name: "avx2", macro: "__AVX2__", lanes: 8, tiles: [tile(6, 16), tile(4, 24), tile(2, 32), tile(1, 32)] },
  { name: "neon", macro: "__ARM_NEON", lanes: 4, tiles: [tile(8, 12), tile(6, 16), tile(4, 20), tile(1, 32)] },
  { name: "generic", macro: null, lanes: 4, tiles: [tile(4, 8), tile(2, 16), tile(1, 16)] },
];

/** @param macros what the compiler predefines for the machine */
export function nativeTarget(macros: ReadonlyMap<string, string>): Target {
  const unit = vectorUnits.find(({ macro }) => macro === null || macros.has(macro))!;
  return {
    name: unit.name,
    lanes: unit.lanes,
    tiles: unit.tiles,
    panelCacheBytes: 512 * 1024,
    addressing: "elements",
    fullVectors: true,
    parallelThreshold: 20_000,
  };
}
