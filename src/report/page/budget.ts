/** The slider: every position is solved by the solver in this page, and everything that depends on it moves in the same frame. */
import type { SearchRecord } from "../../pipeline/search-record.js";
import { percent, time } from "../format.js";
import type { WhatIf, WhatIfs } from "../what-if.js";
import { html } from "./dom.js";

/** What is read aloud waits until the slider rests. */
const restMs = 400;

export function budgetSlider(
  whatIfs: WhatIfs,
  search: SearchRecord,
  show: (choice: WhatIf) => void,
): { readonly element: HTMLElement; readonly start: () => void } {
  const { budgets, run } = whatIfs;
  const dense = search.latencyNs.dense;
  const input = html("input", { type: "range", id: "budget", min: 0, max: budgets.length - 1, step: 1, value: run });
  const asked = html("output", { for: "budget", id: "asked" });
  const spoken = html("p", { class: "unseen", role: "status", "aria-live": "polite" });
  const back = html("button", { type: "button" }, "Back to what the run chose");
  const cell = (title: string, id: string) => {
    const value = html("data", { id });
    const say = (text: string, exact: number) => {
      value.textContent = text;
      value.value = `${exact}`;
    };
    return { element: html("div", {}, html("dt", {}, title), html("dd", {}, value)), say };
  };
  const latency = cell("predicted latency", "live-latency");
  const share = cell("importance kept", "live-importance");
  const proof = cell("solved", "live-proof");
  let rest: ReturnType<typeof setTimeout> | undefined;

  const move = (aloud: boolean) => {
    const index = Number(input.value);
    const choice = whatIfs.at(budgets[index] as number);
    const budgetText = `${percent(choice.budgetNs / dense)} of the dense latency`;
    const latencyText = `${time(choice.latencyNs)}, ${percent(choice.latencyNs / dense)}`;
    input.setAttribute("aria-valuetext", `${budgetText}, ${time(choice.budgetNs)}`);
    asked.textContent = percent(choice.budgetNs / dense);
    latency.say(latencyText, choice.latencyNs);
    share.say(percent(choice.share, 2), choice.share);
    const { status, gap, elapsedMs } = choice.solution;
    const how =
      status === "optimal"
        ? "proven best"
        : status === "feasible"
          ? `within ${percent(gap, 2)} of the best`
          : "the smallest there is";
    proof.say(`${how}, ${elapsedMs.toFixed(elapsedMs < 10 ? 2 : 0)} ms`, elapsedMs);
    back.disabled = index === run;
    show(choice);
    clearTimeout(rest);
    if (aloud)
      rest = setTimeout(() => {
        spoken.textContent = `Budget ${budgetText}: predicted ${latencyText}, importance kept ${percent(choice.share, 2)}.`;
      }, restMs);
  };
  input.addEventListener("input", () => move(true));
  back.addEventListener("click", () => {
    input.value = `${run}`;
    move(true);
    input.focus();
  });
  const element = html(
    "div",
    { class: "budget" },
    html("label", { for: "budget" }, "Latency budget, of the dense network's ", asked),
    input,
    html(
      "div",
      { class: "beside" },
      html("dl", { class: "live" }, latency.element, share.element, proof.element),
      back,
    ),
    spoken,
  );
  return { element, start: () => move(false) };
}
