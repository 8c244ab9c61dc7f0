// Memory of the heap that grows to what the largest of its users needs.

import type { Heap } from "./heap.ts";

export class Region {
  #address = 0;
  #bytes = 0;

  constructor(private readonly heap: Heap) {}

  /** The address of a region of at least so many bytes. What it held is lost where it had to grow. */
  atLeast(bytes: number): number {
    if (bytes > this.#bytes) {
      if (this.#address !== 0) this.heap.free(this.#address);
      this.#address = 0;
      this.#bytes = 0;
      this.#address = this.heap.allocate(bytes);
      this.#bytes = bytes;
    }
    return this.#address;
  }
}
