import type { AxisLabels, ChannelContext } from "./spec.js";

/** Labels through an operator that applies to its inputs element by element, with broadcasting aligned at the last axis. */
export function joinBroadcast(c: ChannelContext, inputs: readonly string[], output: string): void {
  const rank = c.type(output)?.dims.length ?? 0;
  const used = inputs.filter((name) => name !== "");
  const dimsOf = (name: string) => c.type(name)?.dims ?? [];
  for (let axis = 0; axis < rank; axis++) {
    const extent = dimsOf(output)[axis] ?? 1;
    const here = used.map((name) => ({ name, axis: axis - (rank - dimsOf(name).length) })).filter((v) => v.axis >= 0);
    const full = here.filter((v) => dimsOf(v.name)[v.axis] === extent);
    for (const v of here)
      if (!full.includes(v)) c.freeze(c.labels(v.name, v.axis), "is one channel that is spread over many");
    const activations = full.filter((v) => !c.constant(v.name));
    let labels: AxisLabels = null;
    activations.forEach((v, i) => {
      const own = c.labels(v.name, v.axis);
      if (i === 0) labels = own;
      else c.join(labels, own);
    });
    // A constant of extent 1 serves any number of channels; it may be shared all over the graph.
    if (extent > 1) for (const v of full) if (c.constant(v.name)) c.setLabels(v.name, v.axis, labels);
    c.setLabels(output, axis, labels);
  }
}
