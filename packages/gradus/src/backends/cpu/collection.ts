// Finds buffers that nothing refers to any more. The heap lies outside of what the garbage collector weighs, and it
// finalizes only in major collections and only when the event loop turns. So past a threshold a collection is forced
// where the platform has a function for it (Node), and elsewhere provoked: blocks of ordinary memory, made and dropped,
// weigh on the collector until a sentinel dropped before them is found. Untouched, they take up addresses but no memory.

type Collector = () => void;

/** Live bytes from which a collection is asked for at first. */
const floorBytes = 96 * 1024 * 1024;
/** And then whenever they have grown by this factor since the last one. */
const growth = 1.5;
/** What is made and dropped in one turn to provoke a collection. */
const provocationBytes = 32 * 1024 * 1024;
/** Turns after which an engine that does not collect is left alone. In Chromium two or three are enough. */
const provocationTurns = 20;

/** What becomes of a thing that was dropped. */
type Farewell = () => void;

export class CollectionPressure {
  liveBytes = 0;
  private threshold = floorBytes;
  private collecting: Promise<void> | null = null;
  private readonly collector: Collector | null = findCollector();
  private readonly held = new WeakMap<object, Farewell>();
  private readonly registry = new FinalizationRegistry<Farewell>((farewell) => farewell());

  constructor(private readonly free: (address: number) => void) {}

  track(buffer: object, address: number, bytes: number): void {
    this.liveBytes += bytes;
    const farewell = (): void => {
      this.liveBytes -= bytes;
      this.free(address);
    };
    this.held.set(buffer, farewell);
    this.registry.register(buffer, farewell, buffer);
  }

  /** Frees a buffer at once. */
  release(buffer: object): void {
    const farewell = this.held.get(buffer);
    if (farewell === undefined) return;
    this.held.delete(buffer);
    this.registry.unregister(buffer);
    farewell();
  }

  get high(): boolean {
    return this.liveBytes > this.threshold;
  }

  collect(): Promise<void> {
    this.collecting ??= this.collectNow().finally(() => {
      this.collecting = null;
    });
    return this.collecting;
  }

  private async collectNow(): Promise<void> {
    if (this.collector === null) await this.provoke();
    else this.collector();
    // Finalizers run in turns of the event loop.
    await turn();
    await turn();
    this.threshold = Math.max(floorBytes, this.liveBytes * growth);
  }

  private async provoke(): Promise<void> {
    let collected = false;
    this.registry.register({}, () => {
      collected = true;
    });
    for (let turns = 0; turns < provocationTurns && !collected; turns++) {
      new ArrayBuffer(provocationBytes);
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
