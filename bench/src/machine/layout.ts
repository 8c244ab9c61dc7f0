// How much the measuring threads do, and where it lies in the memory that they share: what they meet by, a pair of panels
// and a tile for each thread, and the two regions between which they copy, a slice for each thread.

/** Columns of the panel A and rows of the panel B: 4 KiB and 8 KiB, which the first-level cache holds. */
export const panelDepth = 256;
/** Rows and columns of the tile. */
export const tile = [4, 8] as const;

/** Tiles and copies in one repeat of a thread, each about ten milliseconds' worth: waking another takes a twentieth of one. */
export const tilesPerRepeat = 30_000;
export const copiesPerRepeat = 4;

/** Bytes of each of the two regions, far more than caches hold. */
export const regionBytes = 64 * 2 ** 20;

const panelBytes = tile.map((extent) => extent * panelDepth * 4) as [number, number];
const threadBytes = 16384;
const meetingBytes = 65536;
const pageBytes = 65536;

export interface ThreadLayout {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly from: number;
  readonly to: number;
  /** Bytes of this thread's slice of a region, in whole cache lines. */
  readonly copyBytes: number;
}

/** The first region's address. Both begin at a page. */
const regionStart = (threads: number): number =>
  Math.ceil((meetingBytes + threads * threadBytes) / pageBytes) * pageBytes;

/** All threads meet at the address 0; this is where one of them finds what is its own. */
export function threadLayout(thread: number, threads: number): ThreadLayout {
  const a = meetingBytes + thread * threadBytes;
  const b = a + panelBytes[0];
  const copyBytes = Math.floor(regionBytes / threads / 64) * 64;
  const from = regionStart(threads) + thread * copyBytes;
  return { a, b, c: b + panelBytes[1], from, to: from + regionBytes, copyBytes };
}

export function memoryPages(threads: number): number {
  return (regionStart(threads) + 2 * regionBytes) / pageBytes;
}
