// The arena. Everything lives in linear memory at addresses handed out upwards from __heap_base: first the problem and what
// was prepared from it (always at the same addresses, so that a copy of the bytes can be put back), then what one solve needs.

/** No allocation goes beyond this many bytes; the host may lower it. */
export let limit: usize = 0xffff0000;

/** Where the allocation ended that was last refused. */
export let wanted: usize = 0;

/** The first free address. */
export let top: usize = 0;

@inline
export function align(x: usize): usize {
  return (x + 15) & ~15;
}

export function setLimit(bytes: usize): void {
  limit = bytes;
}

/** Frees everything from `at` upwards. */
@inline
export function release(at: usize): void {
  top = align(at);
}

@inline
export function heapStart(): usize {
  return align(__heap_base);
}

/** Makes memory usable up to `end`; false if that is over the limit or the host refuses. */
export function ensure(end: usize): bool {
  const have = <usize>memory.size() << 16;
  if (end <= have) return true;
  if (end > limit || end < top) {
    wanted = end < top ? <usize>-1 : end;
    return false;
  }
  const need = <i32>((end - have + 0xffff) >> 16);
  // Growing is slow: take half as much again as there is, where that is allowed.
  const more = max(need, min(memory.size() >> 1, <i32>((limit - have) >> 16)));
  if (memory.grow(more) >= 0 || memory.grow(need) >= 0) return true;
  wanted = end;
  return false;
}

/** `bytes` of memory, aligned to 16; 0 if there is not enough. Not zeroed. */
export function allocate(bytes: usize): usize {
  const at = top;
  const end = align(at + bytes);
  if (end < at) wanted = <usize>-1;
  if (end < at || !ensure(end)) return 0;
  top = end;
  return at;
}

@inline
export function getI(at: usize, i: i32): i32 {
  return load<i32>(at + (<usize>i << 2));
}
@inline
export function setI(at: usize, i: i32, x: i32): void {
  store<i32>(at + (<usize>i << 2), x);
}
@inline
export function getF(at: usize, i: i32): f64 {
  return load<f64>(at + (<usize>i << 3));
}
@inline
export function setF(at: usize, i: i32, x: f64): void {
  store<f64>(at + (<usize>i << 3), x);
}
