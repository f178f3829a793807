"use strict";
// <sid-plot data-plot='…'>: draws what the server computed. In a shadow tree, so that a refreshed page leaves it alone.
{
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const faint = (colour, share) => `color-mix(in srgb, ${colour} ${share}%, transparent)`;
  const HEIGHT = 220;
  const AXES = { time: "time", bars: "score", line: "vote" };
  const DAY = 86400;
  // [from this many seconds between marks, what a mark says, and more of it where the year, month or day changes]
  const TIMES = [
    [DAY * 365, "{YYYY}", null, null, null, null, null, null, 1],
    [DAY * 28, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
    [DAY, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
    [60, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
    [0.001, "{HH}:{mm}:{ss}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
  ];

  function marks(plot, colours) {
    return (u) => {
      const { ctx } = u;
      const { left, top, width, height } = u.bbox;
      ctx.save();
      ctx.font = `${11 * devicePixelRatio}px sans-serif`;
      ctx.textAlign = "left";
      ctx.textBaseline = "alphabetic";
      ctx.strokeStyle = ctx.fillStyle = colours.soft;
      ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
      let free = -Infinity; // where the next label may begin
      for (const mark of plot.marks) {
        const x = u.valToPos(mark.x, "x", true);
        if (!(x >= left - 1 && x <= left + width + 1)) continue;
        ctx.beginPath();
        ctx.moveTo(x, top);
        ctx.lineTo(x, top + height);
        ctx.stroke();
        const wide = ctx.measureText(mark.label).width + 8 * devicePixelRatio;
        const at = Math.min(x + 4 * devicePixelRatio, left + width - wide);
        if (at >= free) {
          ctx.fillText(mark.label, at, top + 12 * devicePixelRatio);
          free = at + wide;
        }
      }
      ctx.strokeStyle = ctx.fillStyle = colours.bad;
      for (const line of plot.lines || []) {
        const y = u.valToPos(line.y, "y", true);
        ctx.beginPath();
        ctx.moveTo(left, y);
        ctx.lineTo(left + width, y);
        ctx.stroke();
        ctx.fillText(line.label, left + 4 * devicePixelRatio, y - 4 * devicePixelRatio);
      }
      ctx.restore();
    };
  }

  function options(plot, width) {
    const colours = { ink: css("ink"), soft: css("soft"), line: css("line"), bad: css("bad") };
    const digits = (value) => (value == null ? "–" : value.toFixed(3));
    const whole = uPlot.fmtDate("{YYYY}-{MM}-{DD} {HH}:{mm}");
    const utc = (seconds) => uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC");
    // What the legend says while nobody points at anything: the newest of a line, nothing of a histogram.
    const last = plot.kind === "bars" ? -1 : plot.x.length - 1;
    const at = (values, i) => values[i ?? last] ?? null;
    const where = (x) => (x == null ? "–" : plot.kind === "time" ? whole(utc(x)) : String(x));
    const series = [{ label: AXES[plot.kind], value: (u, v, s, i) => where(at(plot.x, i)) }];
    const data = [plot.x];
    const bands = [];
    for (const one of plot.series) {
      const stroke = css(one.colour);
      const value = (u, v, s, i) =>
        digits(at(one.y, i)) + (one.upper ? ` (${digits(at(one.lower, i))} to ${digits(at(one.upper, i))})` : "");
      const made = { label: one.label, stroke, width: 2, value, spanGaps: true };
      if (plot.kind === "bars") {
        made.paths = uPlot.paths.bars({ size: [0.95, Infinity] });
        made.fill = faint(stroke, 45);
        made.width = 1;
      }
      if (plot.x.length < 40 && plot.kind === "time") made.points = { show: true, size: 5 };
      else made.points = { show: false };
      series.push(made);
      data.push(one.y);
      if (one.upper) {
        const edge = { stroke: "transparent", width: 0, points: { show: false }, class: "edge" };
        series.push({ ...edge, label: "upper" }, { ...edge, label: "lower" });
        data.push(one.upper, one.lower);
        bands.push({ series: [series.length - 2, series.length - 1], fill: faint(stroke, 18) });
      }
    }
    const axis = { stroke: colours.soft, grid: { stroke: colours.line, width: 1 }, ticks: { stroke: colours.line, width: 1 } };
    return [
      {
        width,
        height: HEIGHT,
        series,
        bands,
        tzDate: utc,
        scales: { x: { time: plot.kind === "time", ...(plot.across ? { range: plot.across } : {}) }, y: plot.range ? { range: plot.range } : {} },
        axes: [plot.kind === "time" ? { ...axis, values: TIMES, space: 64 } : axis, { ...axis, size: 52 }],
        cursor: { drag: { x: false, y: false } },
        hooks: { draw: [marks(plot, colours)] },
      },
      data,
    ];
  }

  class SidPlot extends HTMLElement {
    static observedAttributes = ["data-plot"];

    connectedCallback() {
      if (!this.shadowRoot) {
        const root = this.attachShadow({ mode: "open" });
        for (const href of ["/static/vendor/uPlot.min.css", "/static/plots.css"]) {
          const link = document.createElement("link");
          link.rel = "stylesheet";
          link.href = href;
          root.append(link);
        }
        this.box = document.createElement("div");
        root.append(this.box);
      }
      this.sized = new ResizeObserver(() => this.fit());
      this.sized.observe(this);
      this.dark = matchMedia("(prefers-color-scheme: dark)");
      this.redraw = () => this.draw();
      this.dark.addEventListener("change", this.redraw);
      this.draw();
    }

    disconnectedCallback() {
      this.sized?.disconnect();
      this.dark?.removeEventListener("change", this.redraw);
      this.drawn?.destroy();
      this.drawn = null;
    }

    attributeChangedCallback(name, before, after) {
      if (this.box && before !== after) this.draw();
    }

    fit() {
      const width = this.clientWidth;
      if (this.drawn && width > 0 && width !== this.drawn.width) this.drawn.setSize({ width, height: HEIGHT });
      else if (!this.drawn && width > 0) this.draw();
    }

    draw() {
      this.drawn?.destroy();
      this.drawn = null;
      const width = this.clientWidth;
      if (width > 0) this.drawn = new uPlot(...options(JSON.parse(this.dataset.plot), width), this.box);
    }
  }
  customElements.define("sid-plot", SidPlot);
}
