// What was published where: addresses, sizes and checksums of original datasets. A table; download.ts acts on it.

import type { CifarName } from "./cifar-files.ts";
import type { MnistName } from "./mnist-files.ts";

/** Datasets that can be downloaded. */
export type DatasetName = MnistName | CifarName;

/** A file as its publishers describe it. */
export interface PublishedFile {
  /** The file's name, which is also the end of its address. */
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

// The checksums of MNIST and Kuzushiji-MNIST are those of torchvision, Fashion-MNIST's are in its own README, CIFAR's on its
// page. Sizes of Kuzushiji-MNIST and CIFAR are those of TensorFlow Datasets.
export const PUBLISHED: Readonly<Record<DatasetName, PublishedDataset>> = {
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
  kmnist: {
    from: "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    files: [
      { name: "train-images-idx3-ubyte.gz", bytes: 18_165_135, md5: "bdb82020997e1d708af4cf47b453dcf7" },
      { name: "train-labels-idx1-ubyte.gz", bytes: 29_497, md5: "e144d726b3acfaa3e44228e80efcd344" },
      { name: "t10k-images-idx3-ubyte.gz", bytes: 3_041_136, md5: "5c965bf0a639b31b8f53240b1b52f4d7" },
      { name: "t10k-labels-idx1-ubyte.gz", bytes: 5_120, md5: "7320c461ea6c1c855c0b718fb2a4b134" },
    ],
  },
  "cifar-10": {
    from: "https://www.cs.toronto.edu/~kriz/",
    files: [{ name: "cifar-10-binary.tar.gz", bytes: 170_052_171, md5: "c32a1d4ab5d03f1284b67883e8d87530" }],
  },
  "cifar-100": {
    from: "https://www.cs.toronto.edu/~kriz/",
    files: [{ name: "cifar-100-binary.tar.gz", bytes: 168_513_733, md5: "03b5dce01913d631647c71ecec9e9cb8" }],
  },
};
