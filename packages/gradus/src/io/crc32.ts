// The checksum of ZIP archives: CRC-32 with the reflected polynomial 0xedb88320 (PKWARE's APPNOTE.TXT 4.4.7), four bytes a
// turn (Kounavis and Berry, "Novel table lookup-based algorithms for high-performance CRC generation", 2008).

/** Table k: what a byte contributes when k more bytes follow it. */
const tables: readonly Int32Array[] = makeTables();

function makeTables(): Int32Array[] {
  const first = Int32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    return crc;
  });
  const made = [first];
  for (let k = 1; k < 4; k++) {
    const before = made[k - 1];
    made.push(before.map((crc) => (crc >>> 8) ^ first[crc & 0xff]));
  }
  return made;
}

/** The checksum, as a number from 0 to 2^32 - 1. */
export function crc32(bytes: Uint8Array): number {
  const [t0, t1, t2, t3] = tables;
  let crc = -1;
  let i = 0;
  for (; i + 4 <= bytes.length; i += 4) {
    crc ^= bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    crc = t3[crc & 0xff] ^ t2[(crc >>> 8) & 0xff] ^ t1[(crc >>> 16) & 0xff] ^ t0[crc >>> 24];
  }
  for (; i < bytes.length; i++) crc = (crc >>> 8) ^ t0[(crc ^ bytes[i]) & 0xff];
  return ~crc >>> 0;
}
