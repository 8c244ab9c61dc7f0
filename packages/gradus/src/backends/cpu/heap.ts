// The heap of the cpu backend: one WebAssembly memory that tensors, arenas and programs share, and the allocator over
// it. Best fit, with blocks split on allocation and merged with their free neighbours on release. The bookkeeping lives
// in JavaScript, outside the memory, where a faulty program cannot damage it.
//
// Source of the policy: Wilson, Johnstone, Neely and Boles, "Dynamic storage allocation: a survey and critical review"
// (1995).

import { type Block, FreeBlocks } from "./free-blocks.ts";
import type { MemoryLimits } from "./wasm/assembler.ts";
import { hasThreads } from "./wasm/features.ts";

/** Bytes in a page, the unit in which a WebAssembly memory grows. */
export const pageBytes = 65536;
/** Every address and every block size is a multiple of a cache line, which also suits the widest vectors. */
export const alignment = 64;

const mebibyte = 2 ** 20;
/** A memory grows by a quarter, but by no less and no more than this, unless the request needs it. */
const smallestGrowth = mebibyte;
const largestGrowth = 128 * mebibyte;
/** Where the platform refuses address space for the maximum, the maximum is halved, down to this. */
const smallestMaximum = 256 * mebibyte;

export interface HeapOptions {
  /** Whether threads shall share the memory. Where the platform has no shared memory, `Heap.shared` comes out false. */
  readonly shared: boolean;
  /** The most the memory may grow to, in bytes. Default: 4 GiB less one page, the reach of 32-bit addresses. */
  readonly maximumBytes?: number;
  /** Bytes at the bottom, from address 0, that are never allocated: the control area of the threads. */
  readonly reservedBytes: number;
}

/** The heap is used in a way that cannot be meant, such as freeing an address twice. */
export class HeapError extends Error {
  override readonly name: string = "HeapError";
}

export class OutOfMemoryError extends HeapError {
  override readonly name = "OutOfMemoryError";
  readonly askedBytes: number;
  readonly liveBytes: number;
  readonly limitBytes: number;

  constructor(askedBytes: number, liveBytes: number, limitBytes: number, largestFreeBytes: number) {
    super(
      `${inMebibytes(askedBytes)} were asked for while ${inMebibytes(liveBytes)} of at most ${inMebibytes(limitBytes)} are ` +
        `live and the largest free block has ${inMebibytes(largestFreeBytes)}. Use a smaller batch or model, drop tensors ` +
        "that are no longer needed, or raise the heap's maximumBytes.",
    );
    this.askedBytes = askedBytes;
    this.liveBytes = liveBytes;
    this.limitBytes = limitBytes;
  }
}

export class Heap {
  readonly memory: WebAssembly.Memory;
  /** Whether the memory is one that threads can share. */
  readonly shared: boolean;
  /** The limit, in bytes. */
  readonly maximumBytes: number;
  /** Bytes at the bottom that are never allocated. */
  readonly reservedBytes: number;
  readonly #live = new Map<number, Block>();
  readonly #free = new FreeBlocks();
  /** The block at the top of the memory. */
  #last: Block | undefined;
  #liveBytes = 0;
  #capacityBytes: number;

  constructor({ shared, maximumBytes = 2 ** 32 - pageBytes, reservedBytes }: HeapOptions) {
    const initialPages = Math.max(1, Math.ceil(reservedBytes / pageBytes));
    const maximumPages = Math.min(2 ** 16 - 1, Math.floor(maximumBytes / pageBytes));
    if (!(maximumPages >= initialPages)) {
      throw new HeapError(
        `A heap of at most ${maximumBytes} bytes cannot hold its first ${initialPages} pages of ${pageBytes} bytes. ` +
          "Raise maximumBytes.",
      );
    }
    this.shared = shared && hasThreads();
    const created = createMemory(initialPages, maximumPages, this.shared);
    this.memory = created.memory;
    this.maximumBytes = created.maximumPages * pageBytes;
    this.reservedBytes = roundUp(reservedBytes, alignment);
    this.#capacityBytes = this.reservedBytes;
    this.#extendTo(initialPages * pageBytes);
  }

  /** What a module states about the memory it imports, so that it fits any heap of this kind. */
  get memoryImport(): MemoryLimits {
    return { initial: 1, maximum: 2 ** 16, shared: this.shared };
  }

  /** Bytes in allocated blocks, each rounded up to 64. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** Bytes of the memory as it has grown by now, the reserved ones included. */
  get capacityBytes(): number {
    return this.#capacityBytes;
  }

  get liveBlocks(): number {
    return this.#live.size;
  }

  /** Free blocks between and behind the live ones: how fragmented the heap is. */
  get freeBlocks(): number {
    return this.#free.count;
  }

  get largestFreeBytes(): number {
    return this.#free.largest?.size ?? 0;
  }

  /**
   * Allocates `bytes` bytes, whose content is arbitrary, and returns their address, a multiple of 64. Grows the memory
   * where no free block fits, which leaves addresses as they are and views made before without the new part.
   *
   * @throws OutOfMemoryError when the limit, or what the platform grants, is reached.
   */
  allocate(bytes: number): number {
    if (!Number.isSafeInteger(bytes) || bytes < 0) {
      throw new HeapError(`${bytes} bytes cannot be allocated. Ask for a non-negative integer.`);
    }
    const size = roundUp(Math.max(bytes, 1), alignment);
    let block = this.#free.bestFit(size);
    if (block === undefined) block = this.#grow(size);
    this.#free.remove(block);
    block.free = false;
    if (block.size > size) this.#split(block, size);
    this.#live.set(block.address, block);
    this.#liveBytes += size;
    return block.address;
  }

  /** Gives an allocation back. An address that is not live, such as one already freed, is an error. */
  free(address: number): void {
    const block = this.#liveBlock(address);
    this.#live.delete(address);
    this.#liveBytes -= block.size;
    const { before, after } = block;
    block.free = true;
    if (after?.free) {
      this.#free.remove(after);
      this.#absorb(block, after);
    }
    if (before?.free) {
      this.#free.remove(before);
      this.#absorb(before, block);
    }
    this.#free.add(before?.free ? before : block);
  }

  /** Bytes usable at a live address: what was asked for, rounded up to 64. */
  sizeOf(address: number): number {
    return this.#liveBlock(address).size;
  }

  // Views reach what the memory holds now. Make them anew after anything that may have grown it; keep none.

  f32(address: number, length: number): Float32Array {
    return new Float32Array(this.memory.buffer, address, length);
  }

  f64(address: number, length: number): Float64Array {
    return new Float64Array(this.memory.buffer, address, length);
  }

  i32(address: number, length: number): Int32Array {
    return new Int32Array(this.memory.buffer, address, length);
  }

  u8(address: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, address, length);
  }

  #liveBlock(address: number): Block {
    const block = this.#live.get(address);
    if (block === undefined) {
      throw new HeapError(
        `Address ${address} is none of the ${this.#live.size} live allocations. ` +
          "Free each address once, and only addresses that allocate() returned.",
      );
    }
    return block;
  }

  /** Grows the memory and returns the free block at its top, which then holds at least `size` bytes. */
  #grow(size: number): Block {
    const needed = size - (this.#last?.free ? this.#last.size : 0);
    const generous = Math.min(Math.max(this.#capacityBytes / 4, smallestGrowth), largestGrowth);
    const room = this.maximumBytes - this.#capacityBytes;
    for (const more of [Math.min(Math.max(needed, generous), room), needed]) {
      const pages = Math.ceil(more / pageBytes);
      if (more < needed || pages * pageBytes > room) continue;
      try {
        this.memory.grow(pages);
      } catch {
        continue; // the platform grants less than the limit
      }
      this.#extendTo(this.#capacityBytes + pages * pageBytes);
      return this.#last!;
    }
    throw new OutOfMemoryError(size, this.#liveBytes, this.maximumBytes, this.largestFreeBytes);
  }

  /** Takes in the bytes up to `capacityBytes` as free. */
  #extendTo(capacityBytes: number): void {
    const size = capacityBytes - this.#capacityBytes;
    const address = this.#capacityBytes;
    this.#capacityBytes = capacityBytes;
    if (size === 0) return;
    const last = this.#last;
    if (last?.free) {
      this.#free.remove(last);
      last.size += size;
      this.#free.add(last);
      return;
    }
    const block = newBlock(address, size, last, undefined);
    if (last !== undefined) last.after = block;
    this.#last = block;
    this.#free.add(block);
  }

  /** Cuts `block` down to `size` bytes; the rest becomes a free block. */
  #split(block: Block, size: number): void {
    const rest = newBlock(block.address + size, block.size - size, block, block.after);
    if (block.after === undefined) this.#last = rest;
    else block.after.before = rest;
    block.after = rest;
    block.size = size;
    this.#free.add(rest);
  }

  /** Joins `after` to the block right before it. */
  #absorb(block: Block, after: Block): void {
    block.size += after.size;
    block.after = after.after;
    if (after.after === undefined) this.#last = block;
    else after.after.before = block;
  }
}

function newBlock(address: number, size: number, before: Block | undefined, after: Block | undefined): Block {
  return { address, size, free: true, before, after, left: undefined, right: undefined };
}

function roundUp(bytes: number, multiple: number): number {
  return Math.ceil(bytes / multiple) * multiple;
}

function createMemory(initial: number, maximum: number, shared: boolean) {
  for (let maximumPages = maximum; ; maximumPages = Math.ceil(maximumPages / 2)) {
    try {
      return { memory: new WebAssembly.Memory({ initial, maximum: maximumPages, shared }), maximumPages };
    } catch {
      if (maximumPages * pageBytes > smallestMaximum) continue;
      throw new OutOfMemoryError(initial * pageBytes, 0, maximumPages * pageBytes, 0);
    }
  }
}

function inMebibytes(bytes: number): string {
  return bytes < mebibyte ? `${bytes} bytes` : `${(bytes / mebibyte).toFixed(1)} MiB`;
}
