// Philox 4x32-10, the counter-based random generator behind every random tensor: the same seed gives the same bits on
// every device, in any order of execution. Method: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
// 1, 2, 3" (SC 2011), section 3.3.

/** Four unsigned 32-bit numbers. */
export type PhiloxCounter = readonly [number, number, number, number];
/** Two unsigned 32-bit numbers. */
export type PhiloxKey = readonly [number, number];

/** The odd multipliers of a round, one for each pair of words. */
export const philoxMultipliers = [0xd2511f53, 0xcd9e8d57] as const;
/** What the key grows by from round to round: the golden ratio and the square root of 3, less 1. */
export const philoxKeySteps = [0x9e3779b9, 0xbb67ae85] as const;
export const philoxRounds = 10;

/** The second word of the key of every random op: "Grad" in ASCII. The first word is the seed. */
export const philoxKeyTag = 0x47726164;

/** The upper 32 bits of the product of two unsigned 32-bit numbers, from products of 16-bit halves. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  // Every sum stays below 2^53, so doubles hold it exactly.
  const middle = aHigh * bLow + Math.floor((aLow * bLow) / 0x10000);
  const carry = (middle % 0x10000) + aLow * bHigh;
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000)) >>> 0;
}

/**
 * Four random words.
 * @param counter which of the generator's 2^128 outputs
 * @param key which generator
 * @returns unsigned 32-bit numbers
 */
export function philox(counter: PhiloxCounter, key: PhiloxKey): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < philoxRounds; round++) {
    const high0 = multiplyHigh(philoxMultipliers[0], c0);
    const low0 = Math.imul(philoxMultipliers[0], c0) >>> 0;
    const high1 = multiplyHigh(philoxMultipliers[1], c2);
    const low1 = Math.imul(philoxMultipliers[1], c2) >>> 0;
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + philoxKeySteps[0]) >>> 0;
    k1 = (k1 + philoxKeySteps[1]) >>> 0;
  }
  return [c0, c1, c2, c3];
}
