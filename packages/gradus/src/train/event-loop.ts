// Turns of the event loop. A training loop only awaits values that are there, which never lets signals, timers, drawing or
// messages through; so it yields a turn now and then. Works in Node and in browsers.

/** As often as a screen can use, and seldom enough to cost nothing. */
const MILLISECONDS_BETWEEN_TURNS = 30;

const schedule: (turn: () => void) => void =
  typeof setImmediate === "function"
    ? setImmediate
    : (turn) => {
        // Unlike timers, which browsers hold back for milliseconds, a message comes at once.
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => {
          port1.close();
          turn();
        };
        port2.postMessage(null);
      };

/** Yields a turn when it is due. */
export class EventLoop {
  private lastTurn = performance.now();

  async turn(): Promise<void> {
    if (performance.now() - this.lastTurn < MILLISECONDS_BETWEEN_TURNS) return;
    await new Promise<void>(schedule);
    this.lastTurn = performance.now();
  }
}
