// Hashes of numbers, and tables of objects found by them: what makes equal things one without writing them out as text.
// A table is open addressing with linear probing (Knuth, "The Art of Computer Programming", vol. 3, 6.4, algorithm L).
// It compares nothing itself, so that a look-up makes neither an object nor a function: who looks something up walks
// the places of its hash.
//
//   for (let place = table.first(hash); ; place = table.after(place)) {
//     const found = table.at(place);
//     if (found === null) break;
//     if (table.hashAt(place) === hash && isEqual(found)) return found;
//   }

/** The hash of what was hashed so far and one more integer. */
export function mix(hash: number, value: number): number {
  const product = Math.imul(hash ^ value, 0x9e3779b1);
  // The upper bits of a product depend on all bits of its factors, and a table looks at the lower ones.
  return product ^ (product >>> 15);
}

const asDouble = new Float64Array(1);
const asWords = new Int32Array(asDouble.buffer);

/** Any number; those that `Object.is` takes for one have one hash. */
export function mixNumber(hash: number, value: number): number {
  if ((value | 0) === value) return mix(hash, value);
  // A NaN is one value of many bit patterns.
  asDouble[0] = Number.isNaN(value) ? 0 : value;
  return mix(mix(hash, asWords[0]), asWords[1]);
}

export function mixNumbers(hash: number, values: readonly number[]): number {
  let result = mix(hash, values.length);
  for (let i = 0; i < values.length; i++) result = mixNumber(result, values[i]);
  return result;
}

export function mixText(hash: number, text: string): number {
  let result = mix(hash, text.length);
  for (let i = 0; i < text.length; i++) result = mix(result, text.charCodeAt(i));
  return result;
}

const fewestPlaces = 64;

export class HashTable<T extends object> {
  size = 0;
  private entries: (T | null)[] = emptyPlaces<T>(fewestPlaces);
  private hashes = new Int32Array(fewestPlaces);
  /** Places in the order they were taken, so that emptying the table touches no others. At most half are ever taken. */
  private taken = new Int32Array(fewestPlaces / 2);
  private mask = fewestPlaces - 1;

  /** Where to look first. */
  first(hash: number): number {
    return hash & this.mask;
  }

  /** Where to look next. */
  after(place: number): number {
    return (place + 1) & this.mask;
  }

  /** What is there; null ends a search. */
  at(place: number): T | null {
    return this.entries[place];
  }

  hashAt(place: number): number {
    return this.hashes[place];
  }

  /** Takes in what a search has not found. */
  add(hash: number, entry: T): void {
    if (this.size === this.taken.length) this.grow();
    let place = this.first(hash);
    while (this.entries[place] !== null) place = this.after(place);
    this.entries[place] = entry;
    this.hashes[place] = hash;
    this.taken[this.size++] = place;
  }

  clear(): void {
    for (let i = 0; i < this.size; i++) this.entries[this.taken[i]] = null;
    this.size = 0;
  }

  private grow(): void {
    const { entries, hashes, taken, size } = this;
    const places = entries.length * 2;
    this.entries = emptyPlaces<T>(places);
    this.hashes = new Int32Array(places);
    this.taken = new Int32Array(places / 2);
    this.mask = places - 1;
    this.size = 0;
    for (let i = 0; i < size; i++) this.add(hashes[taken[i]], entries[taken[i]]!);
  }
}

function emptyPlaces<T>(places: number): (T | null)[] {
  return new Array<T | null>(places).fill(null);
}

/** Two tables of which the second holds what was met earlier: what is not met again while a table fills is forgotten. */
export class ForgetfulTable<T extends object> {
  recent = new HashTable<T>();
  earlier = new HashTable<T>();

  /** @param capacity how much one table holds */
  constructor(readonly capacity: number) {}

  get size(): number {
    return this.recent.size + this.earlier.size;
  }

  /** Takes in what is new, or was found among what was met earlier. */
  add(hash: number, entry: T): void {
    if (this.recent.size >= this.capacity) this.forget();
    this.recent.add(hash, entry);
  }

  private forget(): void {
    const { recent, earlier } = this;
    earlier.clear();
    this.recent = earlier;
    this.earlier = recent;
  }
}
