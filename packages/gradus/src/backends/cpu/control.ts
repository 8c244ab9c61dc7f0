// The control area: the words at the bottom of the heap through which the threads of one program meet. Both sides
// read this table: the thread pool in JavaScript, the barrier in WebAssembly.

/**
 * Byte addresses of 32-bit words, the same in every heap. Words that different threads write at the same time stand 64
 * bytes apart, a cache line each. Address 0 stays unused, so that a null pointer harms nothing.
 */
export const controlLayout = {
  /** Counts the commands given to the workers, who sleep on it. */
  commands: 64,
  /** Workers still busy with the command; the caller sleeps on it. */
  busy: 128,
  /** Threads that reached the barrier and not yet left it. */
  barrierArrived: 192,
  /** Counts the barriers passed; threads that wait at one sleep on it. */
  barrierGeneration: 256,
  /** Threads asleep at the barrier: with none, opening it takes no system call. */
  barrierSleepers: 320,
  /** 1 as soon as a thread has failed: every barrier then returns at once. */
  aborted: 384,

  /** The first thread to fail, plus one; 0 while none has. */
  failedThread: 448,
  /** Length of its message. */
  failureBytes: 452,

  // The command.
  program: 512,
  parameters: 516,
  moduleAddress: 520,
  /** 0 where every worker has the program already. */
  moduleBytes: 524,
  /** Size of the memory, so that a worker notices that it grew. */
  memoryPages: 528,
  /** Programs to forget, and how many of them. */
  forgottenCount: 532,
  forgotten: 576,
  forgottenCapacity: 48,

  /** Not 0 while a pool owns the area. */
  owned: 832,

  /** The message, in UTF-8. */
  failure: 1024,
  failureCapacity: 1024,

  /** Size of the whole area in bytes; a heap that serves a pool reserves at least as much. */
  size: 2048,
} as const;

export type ControlLayout = typeof controlLayout;
