// Whether operations record gradients (`torch.no_grad`, `torch.enable_grad`).

let recording = true;

export function isGradEnabled(): boolean {
  return recording;
}

function within<T>(enabled: boolean, body: () => T): T {
  const before = recording;
  recording = enabled;
  let result: T;
  try {
    result = body();
  } catch (error) {
    recording = before;
    throw error;
  }
  if (result instanceof Promise) {
    return result.finally(() => {
      recording = before;
    }) as T;
  }
  recording = before;
  return result;
}

/** Runs a function, which may be async, without recording gradients (`torch.no_grad`). */
export function noGrad<T>(body: () => T): T {
  return within(false, body);
}

/** Runs a function with gradients recorded, also inside `noGrad` (`torch.enable_grad`). */
export function enableGrad<T>(body: () => T): T {
  return within(true, body);
}
