// The tables behind kinds and nodes: what is put in is found, by its hash and by nothing else.

import { describe, expect, test } from "vitest";
import { ForgetfulTable, HashTable, mix, mixNumber, mixNumbers, mixText } from "../../src/graph/hash-table.ts";

interface Entry {
  readonly name: number;
}

function find(table: HashTable<Entry>, hash: number, name: number): Entry | null {
  for (let place = table.first(hash); ; place = table.after(place)) {
    const found = table.at(place);
    if (found === null || (table.hashAt(place) === hash && found.name === name)) return found;
  }
}

describe("a hash table", () => {
  test("finds each of 10,000 objects, having grown on the way, and nothing else", () => {
    const table = new HashTable<Entry>();
    const hashOf = (name: number): number => mix(0, name);
    const entries = Array.from({ length: 10_000 }, (_, name) => ({ name }));
    for (const entry of entries) table.add(hashOf(entry.name), entry);
    expect(table.size).toBe(entries.length);
    for (const entry of entries) expect(find(table, hashOf(entry.name), entry.name)).toBe(entry);
    for (let name = 10_000; name < 11_000; name++) expect(find(table, hashOf(name), name)).toBeNull();
  });

  test("tells objects of one hash apart, also where the last place is followed by the first", () => {
    for (const hash of [5, -1, 2 ** 31 - 1]) {
      const table = new HashTable<Entry>();
      const entries = Array.from({ length: 200 }, (_, name) => ({ name }));
      for (const entry of entries) table.add(hash, entry);
      for (const entry of entries) expect(find(table, hash, entry.name)).toBe(entry);
      expect(find(table, hash, 200)).toBeNull();
      expect(find(table, hash + 64, 0)).toBeNull();
    }
  });

  test("holds nothing once it is emptied, and can be filled again", () => {
    const table = new HashTable<Entry>();
    for (let name = 0; name < 1000; name++) table.add(mix(0, name), { name });
    table.clear();
    expect(table.size).toBe(0);
    for (let name = 0; name < 1000; name++) expect(find(table, mix(0, name), name)).toBeNull();
    const again = { name: 7 };
    table.add(mix(0, 7), again);
    expect(find(table, mix(0, 7), 7)).toBe(again);
  });
});

describe("a forgetful table", () => {
  test("forgets what was not met again while a table was filled, and never holds more than two tables", () => {
    const table = new ForgetfulTable<Entry>(100);
    const [kept, dropped] = [{ name: -1 }, { name: -2 }];
    const isKnown = ({ name }: Entry): boolean =>
      find(table.recent, mix(0, name), name) !== null || find(table.earlier, mix(0, name), name) !== null;
    table.add(mix(0, kept.name), kept);
    table.add(mix(0, dropped.name), dropped);
    for (let name = 0; name < 1000; name++) {
      table.add(mix(0, name), { name });
      expect(table.size).toBeLessThanOrEqual(200);
      expect(isKnown(kept)).toBe(true);
      // What is found among the earlier ones is taken in again: that is what meeting it means.
      if (find(table.recent, mix(0, kept.name), kept.name) === null) table.add(mix(0, kept.name), kept);
    }
    expect(isKnown(dropped)).toBe(false);
  });
});

describe("hashes", () => {
  test("are one for numbers that are one, whatever their bits", () => {
    const bits = new DataView(new ArrayBuffer(8));
    bits.setBigUint64(0, 0x7ff8_0000_0000_beefn);
    expect(mixNumber(3, bits.getFloat64(0))).toBe(mixNumber(3, Number.NaN));
  });

  test("differ for numbers, lists and words that differ a little", () => {
    const numbers = [0, 1, -1, 2, 0.5, -0.5, 1 / 3, 1e-300, 1e300, 2 ** 31, -(2 ** 31), 2 ** 53, Number.NaN];
    const infinities = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    const lists = [[], [0], [0, 0], [0, 1], [1, 0], [1], [2, 3, 5, 7], [7, 5, 3, 2]];
    const words = ["", "a", "b", "ab", "ba", "mk,kn->mn", "mk,nk->mn"];
    for (const hashes of [
      [...numbers, ...infinities].map((value) => mixNumber(11, value)),
      lists.map((values) => mixNumbers(11, values)),
      words.map((text) => mixText(11, text)),
    ]) {
      expect(new Set(hashes).size).toBe(hashes.length);
    }
  });

  test("of 100,000 neighbouring shapes hardly ever meet", () => {
    const hashes = new Set<number>();
    for (let a = 1; a <= 100; a++)
      for (let b = 1; b <= 100; b++) for (let c = 1; c <= 10; c++) hashes.add(mixNumbers(0, [a, b, c]));
    // Of so many 32-bit hashes one pair or two are expected to meet by chance.
    expect(hashes.size).toBeGreaterThan(100_000 - 20);
  });
});
