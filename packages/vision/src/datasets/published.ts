// What was published where: addresses, sizes and checksums of original datasets. A table; download.ts acts on it.

import type { MnistName } from "./mnist-files.ts";

/** A file as its publishers describe it. */
export interface PublishedFile {
  readonly name: string;
  /** Its exact size. */
  readonly bytes: number;
  /** Its MD5 checksum, 32 hexadecimal digits: enough against accidents, which is what publishers give it for. */
  readonly md5: string;
}

export interface PublishedDataset {
  /** The address below which the files lie, ending in a slash. */
  readonly from: string;
  readonly files: readonly PublishedFile[];
}

// MNIST's checksums are those of torchvision, Fashion-MNIST's are in its own README.
export const PUBLISHED: Readonly<Record<MnistName, PublishedDataset>> = {
  mnist: {
    from: "https://ossci-datasets.s3.amazonaws.com/mnist/",
    files: [
      { name: "train-images-idx3-ubyte.gz", bytes: 9_912_422, md5: "f68b3c2dcbeaaa9fbdd348bbdeb94873" },
      { name: "train-labels-idx1-ubyte.gz", bytes: 28_881, md5: "d53e105ee54ea40749a09fcbcd1e9432" },
      { name: "t10k-images-idx3-ubyte.gz", bytes: 1_648_877, md5: "9fb629c4189551a2d022fa330f9573f3" },
      { name: "t10k-labels-idx1-ubyte.gz", bytes: 4_542, md5: "ec29112dd5afa0611ce80d1b7f02629c" },
    ],
  },
  "fashion-mnist": {
    from: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    files: [
      { name: "train-images-idx3-ubyte.gz", bytes: 26_421_880, md5: "8d4fb7e6c68d591d4c3dfef9ec88bf0d" },
      { name: "train-labels-idx1-ubyte.gz", bytes: 29_515, md5: "25c81989df183df01b3e8a0aad5dffbe" },
      { name: "t10k-images-idx3-ubyte.gz", bytes: 4_422_102, md5: "bef4ecab320f06d8554ea6380940ec79" },
      { name: "t10k-labels-idx1-ubyte.gz", bytes: 5_148, md5: "bb300cfdad3c16e7a12a480ee83cd310" },
    ],
  },
};
