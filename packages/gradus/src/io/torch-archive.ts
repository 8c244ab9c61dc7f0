// The archive that torch.save writes since PyTorch 1.6: a ZIP of `<name>/data.pkl`, which describes, and `<name>/data/<key>`,
// which holds the bytes of one storage each. Older formats and TorchScript are recognized and refused with advice.
// Format: torch/serialization.py.

import { FileFormatError, quoted } from "./errors.ts";
import type { MemoryBudget } from "./limits.ts";
import { readPickle } from "./pickle.ts";
import { type PickleCall, PickleContainer, type PickleValue } from "./pickle-values.ts";
import {
  elementsOf,
  gathered,
  type RawData,
  type RawDtype,
  type RawTensor,
  rawArrays,
  withBytesSwapped,
} from "./raw.ts";
import { findTorchGlobal } from "./torch-globals.ts";
import { countOf, StorageClass, TorchStorage, type TorchTensor } from "./torch-objects.ts";
import { looksLikeZip, readZip, type ZipEntry } from "./zip.ts";

const ADVICE = "Save it again with PyTorch 1.6 or later: torch.save(model.state_dict(), path).";

/** Formats that are told by how they begin, and what to do about them. */
const otherFormats: readonly (readonly [is: (bytes: Uint8Array) => boolean, problem: string, remedy: string])[] = [
  [
    (bytes) => bytes[0] === 0x80,
    "this is a bare pickle, the format of PyTorch before 1.6",
    "Save it again in Python: torch.save(torch.load(path), path).",
  ],
  [
    (bytes) => textAt(bytes, 257, "ustar"),
    "this is a tar archive, the format of PyTorch before 0.2",
    "Save it again in Python: torch.save(torch.load(path), path).",
  ],
  [
    (bytes) => textAt(bytes, 8, "{"),
    "this looks like a safetensors file",
    "Read it with loadSafetensors or decodeState.",
  ],
  [(bytes) => textAt(bytes, 1, "NUMPY"), "this is a NumPy array", "Read it with loadNpy or decodeNpy."],
  [() => true, "this is no ZIP archive, as torch.save writes them", ADVICE],
];

function textAt(bytes: Uint8Array, at: number, text: string): boolean {
  return [...text].every((character, i) => bytes[at + i] === character.charCodeAt(0));
}

/** The newest layout of the archive that PyTorch reads; all before it are read as well. */
const NEWEST_VERSION = 10;

/** PyTorch names storages by numbers. A long name would be work each time that it occurs. */
const LONGEST_KEY = 256;

/** An archive whose pickle has been read; tensors are read when they are asked for. */
export class TorchArchive {
  /** What was saved. */
  readonly root: PickleValue;
  /** Entries by their names, without the archive's own name in front. */
  private readonly records: ReadonlyMap<string, ZipEntry>;
  private readonly isBigEndian: boolean;
  private readonly storages = new Map<string, TorchStorage>();
  /** The elements of storages that have been read, as each type that tensors see in them. */
  private readonly contents = new Map<TorchStorage, Map<RawDtype, RawData>>();

  /**
   * @param bytes the whole file
   * @throws FileFormatError for another format and for anything malformed, UnsafePickleError for what is no plain data
   */
  constructor(
    bytes: Uint8Array,
    readonly file: string,
    private readonly budget: MemoryBudget,
  ) {
    if (!looksLikeZip(bytes)) {
      const [, problem, remedy] = otherFormats.find(([is]) => is(bytes))!;
      throw new FileFormatError(file, "byte 0", problem, remedy);
    }
    const entries = [...readZip(bytes, file, budget).values()];
    const description = entries.find(({ name }) => /^[^/]+\/data\.pkl$/.test(name));
    if (description === undefined) {
      throw new FileFormatError(file, "the ZIP archive", "it holds no data.pkl, as torch.save writes it", ADVICE);
    }
    const prefix = description.name.slice(0, -"data.pkl".length);
    const own = entries.filter(({ name }) => name.startsWith(prefix));
    this.records = new Map(own.map((entry) => [entry.name.slice(prefix.length), entry] as const));
    this.refuseTorchScript();
    this.checkVersion();
    this.isBigEndian = this.readByteOrder();
    this.root = readPickle(description.read(), {
      file,
      place: "data.pkl",
      find: (module, name, place) => findTorchGlobal(module, name, file, place),
      load: (id, site) => this.storage(id, site),
    });
  }

  private refuseTorchScript(): void {
    if (!this.records.has("constants.pkl")) return;
    const remedy = "Save its weights in Python: torch.save(torch.jit.load(path).state_dict(), path).";
    throw new FileFormatError(this.file, "constants.pkl", "this is a TorchScript program, not a state dict", remedy);
  }

  private checkVersion(): void {
    const text = this.text("version");
    if (text === undefined || (/^\d{1,9}\s*$/.test(text) && Number(text) <= NEWEST_VERSION)) return;
    const problem = `the version of the archive is ${quoted(text)}, and ${NEWEST_VERSION} is the newest that is read`;
    throw new FileFormatError(this.file, "version", problem, "Save it with another version of PyTorch.");
  }

  private readByteOrder(): boolean {
    const order = this.text("byteorder");
    if (order === undefined || order === "little") return false;
    if (order === "big") return true;
    const problem = `the order of bytes is ${quoted(order)} and neither "little" nor "big"`;
    throw new FileFormatError(this.file, "byteorder", problem, ADVICE);
  }

  /** A short entry. */
  private text(name: string): string | undefined {
    const bytes = this.records.get(name)?.read();
    return bytes && String.fromCharCode(...bytes.subarray(0, 32));
  }

  /** What a persistent id names: ("storage", class, key, device, elements). */
  private storage(id: PickleValue, site: PickleCall): TorchStorage {
    if (!(id instanceof PickleContainer && id.kind === "tuple" && id.items.length === 5 && id.items[0] === "storage")) {
      site.fail("a persistent id is no storage");
    }
    const [, kind, key, , count] = id.items;
    if (!(kind instanceof StorageClass)) site.fail("a storage is of no storage class");
    if (typeof key !== "string" || key.length > LONGEST_KEY) {
      site.fail(`a storage's name is no text of up to ${LONGEST_KEY} characters`);
    }
    const elements = countOf(count);
    if (elements === undefined) site.fail("a storage's number of elements is no whole number of 0 or more");
    const dtype = kind.dtype ?? "uint8";
    const known = this.storages.get(`${dtype} ${key}`);
    const size = this.records.get(`data/${key}`)?.size;
    if (size === undefined) site.fail(`the archive has no storage ${quoted(key)}`);
    if (size !== elements * rawArrays[dtype].BYTES_PER_ELEMENT) {
      site.fail(`storage ${quoted(key)} should hold ${elements} elements of ${dtype}, and it has ${size} bytes`);
    }
    const storage = known ?? new TorchStorage(key, dtype, size);
    this.storages.set(`${dtype} ${key}`, storage);
    return storage;
  }

  /** The elements of a tensor, row-major: a view of the file where they lie in it so. The caller counts what is copied. */
  raw({ storage, dtype, offset, shape, strides }: TorchTensor): RawTensor {
    return { dtype, shape, data: gathered(this.elements(storage, dtype), dtype, offset, shape, strides) };
  }

  private elements(storage: TorchStorage, dtype: RawDtype): RawData {
    const known = this.contents.get(storage)?.get(dtype);
    if (known !== undefined) return known;
    let bytes = this.records.get(`data/${storage.key}`)!.read();
    const width = rawArrays[dtype].BYTES_PER_ELEMENT;
    const isSwapped = this.isBigEndian && width > 1;
    if (isSwapped || bytes.byteOffset % width !== 0) this.budget.spend(bytes.length, `storage ${quoted(storage.key)}`);
    if (isSwapped) bytes = withBytesSwapped(bytes, width);
    const elements = elementsOf(bytes, dtype);
    this.contents.set(storage, (this.contents.get(storage) ?? new Map<RawDtype, RawData>()).set(dtype, elements));
    return elements;
  }
}
