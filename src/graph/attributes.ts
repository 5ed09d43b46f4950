/** Reading and making node attributes. */
import type { Attribute, Graph, Node, Tensor } from "./ir.js";
import { clampInt64 } from "./tensors.js";

export function intAttr(node: Node, name: string, otherwise: number): number {
  const a = node.attributes.get(name);
  return a?.kind === "int" ? clampInt64(a.value) : otherwise;
}
export function intsAttr(node: Node, name: string): number[] | undefined {
  const a = node.attributes.get(name);
  return a?.kind === "ints" ? a.value.map(clampInt64) : undefined;
}
export function floatAttr(node: Node, name: string, otherwise: number): number {
  const a = node.attributes.get(name);
  return a?.kind === "float" ? a.value : otherwise;
}
export function floatsAttr(node: Node, name: string): readonly number[] | undefined {
  const a = node.attributes.get(name);
  return a?.kind === "floats" ? a.value : undefined;
}
export function stringAttr(node: Node, name: string, otherwise: string): string {
  const a = node.attributes.get(name);
  return a?.kind === "string" ? new TextDecoder().decode(a.value) : otherwise;
}
export function tensorAttr(node: Node, name: string): Tensor | undefined {
  const a = node.attributes.get(name);
  return a?.kind === "tensor" ? a.value : undefined;
}

/** Plain values in, attributes out: whole numbers given as bigint or in `ints`, fractions with {@link float}. */
export const attr = {
  int: (v: number): Attribute => ({ kind: "int", value: BigInt(v) }),
  ints: (v: readonly number[]): Attribute => ({ kind: "ints", value: v.map(BigInt) }),
  float: (v: number): Attribute => ({ kind: "float", value: v }),
  floats: (v: readonly number[]): Attribute => ({ kind: "floats", value: v }),
  string: (v: string): Attribute => ({ kind: "string", value: new TextEncoder().encode(v) }),
  tensor: (v: Tensor): Attribute => ({ kind: "tensor", value: v }),
  graph: (v: Graph): Attribute => ({ kind: "graph", value: v }),
};

/** A node with the attribute set (or, with undefined, taken away). */
export function withAttribute(node: Node, name: string, value: Attribute | undefined): Node {
  const attributes = new Map(node.attributes);
  if (value) attributes.set(name, value);
  else attributes.delete(name);
  return { ...node, attributes };
}
