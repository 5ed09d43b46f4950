/** Convolutions after channels are gone: a grouped one may have lost whole groups. */
import { HalpError } from "../../errors.js";
import { attr, intAttr, withAttribute } from "../../graph/attributes.js";
import type { SliceContext, SliceRule } from "../spec.js";

/** Kept positions in each group; undefined where nothing is cut. */
function countsPerGroup(c: SliceContext, name: string, groups: number): number[] | undefined {
  const kept = c.kept(name, 1);
  const extent = c.type(name)?.dims[1];
  if (!kept || extent === undefined) return undefined;
  const counts = new Array<number>(groups).fill(0);
  for (const k of kept) {
    const g = Math.floor((k * groups) / extent);
    counts[g] = (counts[g] ?? 0) + 1;
  }
  return counts;
}

const convolution: SliceRule = (c) => {
  const groups = intAttr(c.node, "group", 1);
  if (groups === 1) return c.node;
  const [x = ""] = c.node.inputs;
  const [y = ""] = c.node.outputs;
  const inputs = countsPerGroup(c, x, groups);
  const outputs = countsPerGroup(c, y, groups);
  const left = [inputs, outputs].map((counts) => counts?.filter((n) => n > 0));
  const [inputsLeft, outputsLeft] = left;
  const uneven = left.some((counts) => counts?.some((n) => n !== counts[0]));
  const apart = inputs && outputs && inputs.some((n, g) => n > 0 !== (outputs[g] ?? 0) > 0);
  const lone =
    (inputsLeft && !outputsLeft && inputsLeft.length !== groups) ||
    (outputsLeft && !inputsLeft && outputsLeft.length !== groups);
  if (uneven || apart || lone)
    throw new HalpError(
      "HALP_REWRITE_GROUPS",
      `${c.node.opType} "${c.node.name || y}" of ${groups} groups would keep different numbers of channels in its groups (inputs ${inputsLeft ?? "all"}, outputs ${outputsLeft ?? "all"}).`,
      { node: c.node.name, opType: c.node.opType, exitCode: 1 },
    );
  const count = (outputsLeft ?? inputsLeft)?.length ?? groups;
  return count === groups ? c.node : withAttribute(c.node, "group", attr.int(count));
};

export const slices: Readonly<Record<string, SliceRule>> = { Conv: convolution, ConvTranspose: convolution };
