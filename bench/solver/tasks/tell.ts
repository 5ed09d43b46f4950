/** Tells what a task has so far, and how far it is, in words. */
export type Tell<R> = (result: R, text: string) => void;

/** Whether so many milliseconds have passed since the last yes. */
export function every(ms: number): () => boolean {
  let last = performance.now();
  return () => {
    if (performance.now() - last < ms) return false;
    last = performance.now();
    return true;
  };
}
