// Finds buffers that nothing refers to any more. The heap lies outside of what the garbage collector weighs, and it
// finalizes only in major collections and only when the event loop turns. So past a threshold a collection is forced
// where the platform has a function for it (Node), and elsewhere provoked: ballast, blocks of ordinary memory that are
// dropped when they have survived the minor collections, weighs on the collector until it has been through the heap.
// Nobody writes to ballast, so it takes up addresses and no memory.
//
// Tokens tied to every buffer do not do: as an unshared heap grows, V8 counts it in with the memory it lets grow before
// the next major collection, and so the heap grows the more.

type Collector = () => void;

/** Live bytes from which a collection is asked for at first. */
const floorBytes = 96 * 1024 * 1024;
/** And then whenever they have grown by this factor since the last one, and by as much as is worth a collection. */
const growth = 1.5;
/** The part of its time that a program may spend on collections before they are made rarer, and below which more frequent. */
const tooOften = 0.08;
const seldom = 0.02;
/** What live bytes may grow by at most because collections are dear. */
const mostGrowth = 256 * 1024 * 1024;
const leastGrowth = 32 * 1024 * 1024;
/** Bytes of a block of ballast, and the part of the live bytes that it is at least: V8 waits in proportion to them. */
const ballastBytes = 64 * 1024 * 1024;
const ballastShare = 1 / 8;
/** Blocks kept at a time. */
const keptBlocks = 3;
/** How many are made, one a millisecond: a collection that has begun takes a while, and more would not hurry it. */
const ballastBlocks = 40;
/** A collection ends within this time, or there is none. */
const patienceMilliseconds = 1000;

interface Held {
  readonly address: number;
  readonly bytes: number;
}

/** Counts major collections, by an object that is dropped when it is too old for the minor ones to look at. */
class Witness {
  collections = 0;
  private object = {};
  private readonly registry = new FinalizationRegistry<null>(() => {
    this.collections++;
  });

  /** Has the next major collection counted. */
  watch(): void {
    this.registry.register(this.object, null);
    this.object = {};
  }
}

export class CollectionPressure {
  liveBytes = 0;
  private threshold = floorBytes;
  private liveAfterCollection = 0;
  private allowedGrowth = leastGrowth;
  private lastEnd = 0;
  private collecting: Promise<void> | null = null;
  private readonly held = new WeakMap<object, Held>();
  private readonly collector: Collector | null = findCollector();
  private readonly witness = new Witness();
  private readonly registry = new FinalizationRegistry<Held>((held) => this.forget(held));

  constructor(private readonly free: (address: number) => void) {}

  track(buffer: object, address: number, bytes: number): void {
    const held = { address, bytes };
    this.liveBytes += bytes;
    this.held.set(buffer, held);
    this.registry.register(buffer, held, buffer);
  }

  /** Frees a buffer at once. */
  release(buffer: object): void {
    const held = this.held.get(buffer);
    if (held === undefined) return;
    this.held.delete(buffer);
    this.registry.unregister(buffer);
    this.forget(held);
  }

  private forget({ address, bytes }: Held): void {
    this.liveBytes -= bytes;
    this.free(address);
  }

  get high(): boolean {
    return this.liveBytes > this.threshold;
  }

  /** Collects, once for all who ask while it is under way. */
  collect(): Promise<void> {
    this.collecting ??= this.collectNow().finally(() => {
      this.collecting = null;
    });
    return this.collecting;
  }

  private async collectNow(): Promise<void> {
    const start = performance.now();
    if (this.collector === null) await this.provoke();
    else this.collector();
    const end = performance.now();
    // Finalizers run in turns of the event loop.
    await turn();
    await turn();
    // Where a collection can only be provoked, it comes late by itself.
    const share = this.collector === null ? 0 : (end - start) / (end - this.lastEnd);
    if (share > tooOften) this.allowedGrowth = Math.min(this.allowedGrowth * 2, mostGrowth);
    else if (share < seldom) this.allowedGrowth = Math.max(this.allowedGrowth / 2, leastGrowth);
    this.lastEnd = end;
    this.liveAfterCollection = this.liveBytes;
    this.threshold = Math.max(floorBytes, this.liveBytes * growth, this.liveBytes + this.allowedGrowth);
  }

  /** Minor collections find some buffers too; but until half of what was added is gone, there has been no major one. */
  private async provoke(): Promise<void> {
    const goal = (this.liveBytes + this.liveAfterCollection) / 2;
    const bytes = Math.max(ballastBytes, this.liveBytes * ballastShare);
    const ballast: ArrayBuffer[] = [];
    const { collections } = this.witness;
    this.witness.watch();
    const start = performance.now();
    let blocks = 0;
    for (;;) {
      if (this.liveBytes <= goal || this.witness.collections > collections) return;
      const passed = performance.now() - start;
      if (passed > patienceMilliseconds) return;
      if (blocks < Math.min(passed, ballastBlocks)) {
        blocks++;
        try {
          ballast.push(new ArrayBuffer(bytes));
        } catch {
          return; // before it refuses memory, an engine collects
        }
        if (ballast.length > keptBlocks) ballast.shift();
      }
      await turn();
    }
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") setImmediate(resolve);
    else {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => {
        channel.port1.close();
        resolve();
      };
      channel.port2.postMessage(null);
    }
  });
}

/** Node's collector, which a flag brings into new contexts; null elsewhere. */
function findCollector(): Collector | null {
  const exposed = (globalThis as { gc?: Collector }).gc;
  if (typeof exposed === "function") return exposed;
  const builtin = (globalThis.process as { getBuiltinModule?: (name: string) => unknown } | undefined)
    ?.getBuiltinModule;
  if (builtin === undefined) return null;
  const v8 = builtin("node:v8") as typeof import("node:v8");
  const vm = builtin("node:vm") as typeof import("node:vm");
  v8.setFlagsFromString("--expose-gc");
  const collector = vm.runInNewContext("gc") as Collector | undefined;
  return typeof collector === "function" ? collector : null;
}
