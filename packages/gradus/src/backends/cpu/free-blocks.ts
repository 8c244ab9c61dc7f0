// The free blocks of the heap in order of size, then address: finds the smallest block that holds a request, the
// lowest of several, in logarithmic time. The nodes of the tree are the blocks themselves.
//
// Source: Seidel and Aragon, "Randomized search trees" (1996). The priorities are hashes of the addresses, so that the
// same requests always lay out the same heap.

export interface Block {
  address: number;
  size: number;
  free: boolean;
  /** Neighbours in the memory, free or not. */
  before: Block | undefined;
  after: Block | undefined;
  /** Children in the tree, while the block is free. */
  left: Block | undefined;
  right: Block | undefined;
}

export class FreeBlocks {
  #root: Block | undefined;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get largest(): Block | undefined {
    let block = this.#root;
    while (block?.right !== undefined) block = block.right;
    return block;
  }

  add(block: Block): void {
    this.#root = insert(this.#root, block);
    this.#count++;
  }

  remove(block: Block): void {
    this.#root = remove(this.#root, block);
    block.left = undefined;
    block.right = undefined;
    this.#count--;
  }

  /** The smallest block of at least `size` bytes. */
  bestFit(size: number): Block | undefined {
    let best: Block | undefined;
    let block = this.#root;
    while (block !== undefined) {
      if (block.size >= size) best = block;
      block = block.size >= size ? block.left : block.right;
    }
    return best;
  }
}

function precedes(a: Block, b: Block): boolean {
  return a.size < b.size || (a.size === b.size && a.address < b.address);
}

/** A one-to-one scrambling of the address: multiply and shift, twice. */
function priority({ address }: Block): number {
  let hash = Math.imul(address ^ (address >>> 16), 0x9e37_79b1);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85eb_ca77);
  return hash ^ (hash >>> 13);
}

function insert(tree: Block | undefined, block: Block): Block {
  if (tree === undefined) return block;
  if (priority(block) > priority(tree)) {
    [block.left, block.right] = split(tree, block);
    return block;
  }
  if (precedes(block, tree)) tree.left = insert(tree.left, block);
  else tree.right = insert(tree.right, block);
  return tree;
}

function remove(tree: Block | undefined, block: Block): Block | undefined {
  if (tree === undefined || tree === block) return merge(tree?.left, tree?.right);
  if (precedes(block, tree)) tree.left = remove(tree.left, block);
  else tree.right = remove(tree.right, block);
  return tree;
}

/** What precedes `block`, and the rest. */
function split(tree: Block | undefined, block: Block): [Block | undefined, Block | undefined] {
  if (tree === undefined) return [undefined, undefined];
  if (precedes(tree, block)) {
    const [lower, upper] = split(tree.right, block);
    tree.right = lower;
    return [tree, upper];
  }
  const [lower, upper] = split(tree.left, block);
  tree.left = upper;
  return [lower, tree];
}

/** One tree of two, every block of `lower` preceding every block of `upper`. */
function merge(lower: Block | undefined, upper: Block | undefined): Block | undefined {
  if (lower === undefined || upper === undefined) return lower ?? upper;
  if (priority(lower) > priority(upper)) {
    lower.right = merge(lower.right, upper);
    return lower;
  }
  upper.left = merge(lower, upper.left);
  return upper;
}
