// Finds buffers that nothing refers to any more. The heap lies outside of what the garbage collector weighs, and it
// finalizes only in major collections and only when the event loop turns; so past a threshold a collection is forced
// where the platform lets it (Node), or provoked by giving every buffer a companion of ordinary memory (browsers).

type Collector = () => void;

/** Live bytes from which a collection is asked for at first. */
const floorBytes = 96 * 1024 * 1024;
/** And then whenever they have grown by this factor since the last one. */
const growth = 1.5;
/** A companion's share of its buffer's size, in browsers. */
const companionShare = 0.25;

interface Held {
  readonly address: number;
  readonly bytes: number;
  /** Ordinary memory whose weight the collector feels. */
  readonly companion: ArrayBuffer | null;
}

export class CollectionPressure {
  liveBytes = 0;
  private threshold = floorBytes;
  private readonly held = new WeakMap<object, Held>();
  private readonly collector: Collector | null = findCollector();
  private readonly registry = new FinalizationRegistry<Omit<Held, "companion">>(({ address, bytes }) => {
    this.liveBytes -= bytes;
    this.free(address);
  });

  constructor(private readonly free: (address: number) => void) {}

  track(buffer: object, address: number, bytes: number): void {
    this.liveBytes += bytes;
    const companion = this.collector === null ? new ArrayBuffer(Math.ceil(bytes * companionShare)) : null;
    this.held.set(buffer, { address, bytes, companion });
    this.registry.register(buffer, { address, bytes }, buffer);
  }

  /** Frees a buffer at once. */
  release(buffer: object): void {
    const held = this.held.get(buffer);
    if (held === undefined) return;
    this.held.delete(buffer);
    this.registry.unregister(buffer);
    this.liveBytes -= held.bytes;
    this.free(held.address);
  }

  get high(): boolean {
    return this.liveBytes > this.threshold;
  }

  async collect(): Promise<void> {
    this.collector?.();
    // Finalizers run in turns of the event loop.
    await turn();
    await turn();
    this.threshold = Math.max(floorBytes, this.liveBytes * growth);
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
