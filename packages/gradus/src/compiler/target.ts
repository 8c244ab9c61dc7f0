// What lowering needs to know of the machine it lowers for. Everything specific to WebAssembly, a CPU or a GPU is here
// or in the emitters; the passes read these numbers and nothing else.

/** A register tile of the contraction engine: rows x columns of accumulators. */
export interface TileShape {
  readonly rows: number;
  readonly columns: number;
}

export interface Target {
  readonly name: string;
  /** Elements of 4 bytes in a vector; 1 where the emitter has no vectors. */
  readonly lanes: number;
  /** Register tiles, the widest first; columns are multiples of `lanes`. */
  readonly tiles: readonly TileShape[];
  /** Bytes of packed panels that should stay in a core's cache. */
  readonly panelCacheBytes: number;
  /** How memory is named: a flat address in bytes, or a buffer and an element of it. */
  readonly addressing: "bytes" | "elements";
  /**
   * Whether vectors have all that numbers have: a load or store of each lane at an index of its own (where memory is named
   * by buffer and element), a store of some lanes only, and division of integers.
   */
  readonly fullVectors: boolean;
  /** Arithmetic below which a loop is not worth waking other threads for. */
  readonly parallelThreshold: number;
}

/** 128-bit SIMD with 16 registers: an accumulator tile of 4 x 8 leaves room for its operands. */
export const wasmTarget: Target = {
  name: "wasm",
  lanes: 4,
  tiles: [
    { rows: 4, columns: 8 },
    { rows: 2, columns: 16 },
    { rows: 1, columns: 16 },
  ],
  panelCacheBytes: 256 * 1024,
  addressing: "bytes",
  fullVectors: false,
  parallelThreshold: 20_000,
};
