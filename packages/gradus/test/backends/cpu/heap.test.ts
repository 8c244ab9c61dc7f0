import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Heap, HeapError, OutOfMemoryError, pageBytes } from "../../../src/backends/cpu/heap.ts";
import { randomIntegers } from "./assemble.ts";

const mebibyte = 2 ** 20;

/** Live allocations as the user sees them, to hold against the heap. */
class Model {
  readonly heap: Heap;
  readonly live: { readonly address: number; readonly bytes: number }[] = [];

  constructor(heap: Heap) {
    this.heap = heap;
  }

  allocate(bytes: number): void {
    this.live.push({ address: this.heap.allocate(bytes), bytes });
  }

  free(index: number): void {
    const [{ address }] = this.live.splice(index % this.live.length, 1) as [(typeof this.live)[0]];
    this.heap.free(address);
  }

  /** No overlap, everything aligned and inside the memory, the books in order. */
  check(): void {
    const { heap } = this;
    let end = heap.reservedBytes;
    let total = 0;
    for (const { address, bytes } of [...this.live].sort((a, b) => a.address - b.address)) {
      expect(address % 64).toBe(0);
      expect(address).toBeGreaterThanOrEqual(end);
      expect(heap.sizeOf(address)).toBe(Math.max(64, Math.ceil(bytes / 64) * 64));
      end = address + heap.sizeOf(address);
      total += heap.sizeOf(address);
    }
    expect(end).toBeLessThanOrEqual(heap.capacityBytes);
    expect(heap.capacityBytes).toBe(heap.memory.buffer.byteLength);
    expect(heap.liveBytes).toBe(total);
    expect(heap.liveBlocks).toBe(this.live.length);
  }

  /** With nothing live there is one free block, and it is everything. */
  checkEmpty(): void {
    while (this.live.length > 0) this.free(this.live.length * 7);
    expect(this.heap.liveBytes).toBe(0);
    expect(this.heap.freeBlocks).toBe(1);
    expect(this.heap.largestFreeBytes).toBe(this.heap.capacityBytes - this.heap.reservedBytes);
  }
}

describe("allocation", () => {
  it("never overlaps and always merges back into one block, whatever the order", () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ allocate: fc.oneof(fc.nat(300), fc.nat(100_000)) }) },
      { weight: 2, arbitrary: fc.record({ free: fc.nat() }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const model = new Model(new Heap({ shared: false, reservedBytes: 1000, maximumBytes: 64 * mebibyte }));
        for (const step of steps) {
          if ("allocate" in step) model.allocate(step.allocate);
          else if (model.live.length > 0) model.free(step.free);
          model.check();
        }
        model.checkEmpty();
      }),
      { numRuns: 60 },
    );
  });

  it("neither leaks nor spreads over half a million random requests", () => {
    const heap = new Heap({ shared: false, reservedBytes: 0 });
    const model = new Model(heap);
    const random = randomIntegers(3);
    let most = 0;
    for (let i = 0; i < 500_000; i++) {
      const full = heap.liveBytes > 4 * mebibyte;
      if (!full && random() % 2 === 0) model.allocate(random() % (random() % 20 === 0 ? 200_000 : 2_000));
      else if (model.live.length > 0) model.free(random());
      most = Math.max(most, heap.liveBytes);
    }
    model.check();
    model.checkEmpty();
    expect(heap.capacityBytes).toBeLessThan(2 * most);
  });

  it("takes the smallest block that fits, the lowest of equals", () => {
    const heap = new Heap({ shared: false, reservedBytes: 64 });
    const [large, , small, , same] = [640, 64, 128, 64, 128, 64].map((bytes) => heap.allocate(bytes)) as number[];
    for (const address of [large!, same!, small!]) heap.free(address);
    expect(heap.allocate(100)).toBe(small);
    expect(heap.allocate(100)).toBe(same);
    expect(heap.allocate(100)).toBe(large);
  });

  it("leaves the reserved bytes alone and gives distinct addresses for nothing", () => {
    const heap = new Heap({ shared: false, reservedBytes: 1000 });
    expect(heap.allocate(0)).toBe(1024);
    expect(heap.allocate(0)).toBe(1088);
    expect(() => heap.allocate(-1)).toThrow(HeapError);
    expect(() => heap.allocate(Number.NaN)).toThrow(HeapError);
  });

  it("refuses to free twice, or what was never allocated, and keeps its books", () => {
    const heap = new Heap({ shared: false, reservedBytes: 0 });
    const address = heap.allocate(1000);
    expect(() => heap.free(address + 64)).toThrow(HeapError);
    heap.free(address);
    expect(() => heap.free(address)).toThrow("Free each address once");
    expect(() => heap.sizeOf(address)).toThrow(HeapError);
    expect([heap.liveBytes, heap.freeBlocks]).toEqual([0, 1]);
  });
});

describe("growth", () => {
  it.each([false, true])("keeps what was written, under views made afterwards (shared: %s)", (shared) => {
    const heap = new Heap({ shared, reservedBytes: 2048 });
    expect(heap.shared).toBe(shared);
    const address = heap.allocate(4096);
    heap.f32(address, 1024).fill(1.5);
    const far = heap.allocate(100 * mebibyte);
    heap.f64(far, (100 * mebibyte) / 8).fill(Math.PI, -2);
    expect(heap.f32(address, 1024).every((x) => x === 1.5)).toBe(true);
    expect(heap.f64(far + 100 * mebibyte - 16, 2)).toEqual(Float64Array.of(Math.PI, Math.PI));
    expect(heap.i32(far + 100 * mebibyte - 4, 1)[0]).toBe(0x400921fb);
    expect(heap.u8(far + 100 * mebibyte - 1, 1)[0]).toBe(0x40);
    expect(heap.memory.buffer instanceof ArrayBuffer).toBe(!shared);
  });

  it("is by a quarter, so that many small requests grow the memory a few times", () => {
    const heap = new Heap({ shared: false, reservedBytes: 0 });
    const sizes = new Set<number>();
    for (let i = 0; i < 1000; i++) {
      heap.allocate(64 * 1024);
      sizes.add(heap.capacityBytes);
    }
    expect(sizes.size).toBeLessThan(25);
    expect(heap.capacityBytes).toBeLessThan(1.3 * heap.liveBytes);
  });

  it("goes to the last page of the limit and then says what is live and what to do", () => {
    const heap = new Heap({ shared: false, reservedBytes: 64, maximumBytes: 32 * pageBytes });
    const first = heap.allocate(20 * pageBytes);
    heap.allocate(12 * pageBytes - 64);
    expect(heap.capacityBytes).toBe(32 * pageBytes);
    const error = (() => {
      try {
        heap.allocate(3 * mebibyte);
      } catch (error) {
        return error;
      }
      return undefined;
    })() as OutOfMemoryError;
    expect(error).toBeInstanceOf(OutOfMemoryError);
    expect(error).toMatchObject({
      askedBytes: 3 * mebibyte,
      liveBytes: 32 * pageBytes - 64,
      limitBytes: 32 * pageBytes,
    });
    expect(error.message).toMatch(
      /3\.0 MiB were asked for while 2\.0 MiB of at most 2\.0 MiB are live .* smaller batch/s,
    );
    heap.free(first);
    expect(heap.allocate(20 * pageBytes)).toBe(first);
  });

  it("reaches beyond 2 GiB with addresses that stay positive", () => {
    const heap = new Heap({ shared: true, reservedBytes: 0 });
    heap.allocate(2 ** 31);
    const high = heap.allocate(1000); // untouched pages cost no memory
    expect(high).toBe(2 ** 31);
    heap.f32(high, 250).fill(2.5);
    expect(heap.f32(high, 250)[249]).toBe(2.5);
    heap.free(high);
  });
});
