// What the test page can do; page.test.ts calls it. Plain JavaScript, since no tool stands between it and the browser.

import * as gd from "gradus";

const { nn, F, optim } = gd;

/** Trains a two-layer perceptron on XOR. */
async function trainXor(steps) {
  gd.manualSeed(1);
  const x = gd.tensor([
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ]);
  const y = gd.tensor([[0], [1], [1], [0]]);
  const model = new nn.Sequential(new nn.Linear(2, 8), new nn.Tanh(), new nn.Linear(8, 1));
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.05 });
  const losses = [];
  for (let step = 0; step < steps; step++) {
    optimizer.zeroGrad();
    const loss = F.binaryCrossEntropyWithLogits(model.forward(x), y);
    loss.backward();
    await optimizer.step();
    losses.push(await loss.item());
  }
  const predicted = await model.forward(x).gt(0).to("int32").reshape(-1).toArray();
  return { first: losses[0], last: losses.at(-1), predicted };
}

const longWork = {
  /** Some 20 billion multiplications and additions, on all threads. */
  parallel: () => {
    let product = gd.randn([1024, 1024]);
    for (let i = 0; i < 10; i++) product = product.matmul(product).div(1024);
    return product;
  },
  /** A sort, which one thread does. */
  serial: () => gd.randn([2 ** 20]).argsort(0),
};

/** How a timer fares while a program runs, in milliseconds. */
async function tickDuring(kind) {
  await gd.flush(longWork[kind]()); // compiled by now
  const work = longWork[kind]();
  const start = performance.now();
  let last = start;
  let longestPause = 0;
  let ticks = 0;
  const tick = () => {
    const now = performance.now();
    longestPause = Math.max(longestPause, now - last);
    last = now;
    ticks++;
  };
  const timer = setInterval(tick, 1);
  await gd.flush(work);
  clearInterval(timer);
  tick();
  return { ticks, longestPause, duration: last - start };
}

async function state() {
  await gd.flush(); // starts the device
  return { ...gd.config(), isolated: globalThis.crossOriginIsolated };
}

globalThis.lesson = { trainXor, tickDuring, state };
