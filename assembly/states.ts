// States of the search: partial choices as records of 24 bytes, in lists by rising weight and value.
//   f64 weight, f64 value (both counted from the relaxation's choice), u32 link, u32 unused
// A link is parent state * items of the stage + item.

export const stateBytes: usize = 24;

@inline
export function weightOf(s: usize): f64 {
  return load<f64>(s);
}
@inline
export function valueOf(s: usize): f64 {
  return load<f64>(s, 8);
}
@inline
export function linkOf(s: usize): u32 {
  return load<u32>(s, 16);
}
@inline
export function setState(s: usize, weight: f64, value: f64, link: u32): void {
  store<f64>(s, weight);
  store<f64>(s, value, 8);
  store<u32>(s, link, 16);
}
@inline
export function copyState(to: usize, from: usize): void {
  store<u64>(to, load<u64>(from));
  store<u64>(to, load<u64>(from, 8), 8);
  store<u64>(to, load<u64>(from, 16), 16);
}
