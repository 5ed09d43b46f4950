// What tests ask of the page, as it runs in the browser. Read as text; see page-browser.test.ts.
globalThis.inPage = {
  /** What the page says of the slider's position. */
  readSlider() {
    const input = document.querySelector("#budget");
    const data = (id) => document.querySelector(id);
    return {
      index: Number(input.value),
      spoken: input.getAttribute("aria-valuetext"),
      asked: data("#asked").textContent,
      latencyNs: Number(data("#live-latency").value),
      latency: data("#live-latency").textContent,
      share: Number(data("#live-importance").value),
      proof: data("#live-proof").textContent,
      widths: [...document.querySelectorAll("[data-group]")].map((e) => e.textContent),
    };
  },

  /** Moves the slider to its least, and looks at the drawings before and after, all in one task. */
  moveToLeast() {
    const input = document.querySelector("#budget");
    const drawn = () => ({
      bars: [...document.querySelectorAll(".bar-kept")].map((e) => e.getAttribute("width")).join(),
      dot: document.querySelector(".live-dot").getAttribute("cx"),
      marks: [...document.querySelectorAll(".marks-kept")].map((e) => e.getAttribute("d")).join(),
    });
    const before = drawn();
    input.value = input.min;
    input.dispatchEvent(new Event("input"));
    return { before, after: drawn() };
  },

  outline() {
    const named = (s) => s.getAttribute("role") === "img" && s.getAttribute("aria-label");
    return {
      lang: document.documentElement.lang,
      headings: [...document.querySelectorAll("h1, h2, h3")].map((h) => Number(h.tagName[1])),
      unnamed: [...document.querySelectorAll("svg")].filter((s) => !named(s)).length,
      charts: document.querySelectorAll("figure svg").length,
      label: document.querySelector("#budget").labels[0].textContent,
      ids: [...document.querySelectorAll("[id]")].map((e) => e.id),
    };
  },

  sizes: () => [document.documentElement.scrollWidth, innerWidth],

  /** Texts whose contrast with what is behind them is below 4.5 (WCAG 2.1, 1.4.3). */
  paleTexts() {
    const parse = (color) => (color.match(/[\d.]+/g) ?? []).map(Number);
    const linear = (c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
    const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const behind = (e) => {
      for (let at = e; at; at = at.parentElement) {
        const color = parse(getComputedStyle(at).backgroundColor);
        if (color[3] !== 0) return color;
      }
      return [255, 255, 255];
    };
    const texts = "h1, h2, h3, p, dt, dd, span, li, td, th, caption, summary, figcaption, label, output, svg text";
    return [...document.querySelectorAll(texts)].flatMap((e) => {
      if (e.textContent.trim() === "" || e.closest(".unseen")) return [];
      const style = getComputedStyle(e);
      const [a, b] = [light(parse(e instanceof SVGElement ? style.fill : style.color)), light(behind(e))];
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      return contrast < 4.5 ? [`${e.tagName} ${e.textContent.slice(0, 30)}: ${contrast.toFixed(2)}`] : [];
    });
  },

  /** What a name would do that came into the page as markup after all. */
  inject() {
    const div = document.createElement("div");
    div.innerHTML = '<img src="https://example.com/x.png" onerror="globalThis.injected = 1">';
    const script = document.createElement("script");
    script.textContent = "globalThis.injected = 2";
    document.body.append(div, script);
  },
};
