// Point at a chart, touch it, or focus it and use the arrow keys: all charts show the same epoch.
const charts = [...document.querySelectorAll("svg[data-epochs]")].map((svg) => ({
  svg,
  readout: svg.parentElement.querySelector(".readout"),
  epochs: JSON.parse(svg.dataset.epochs),
}));
const count = charts[0].epochs.length;
let shown = JSON.parse(charts[0].svg.dataset.best);

function show(index) {
  shown = Math.min(Math.max(index, 0), count - 1);
  for (const { svg, readout, epochs } of charts) {
    const { x, training, validation, text } = epochs[shown];
    svg.classList.add("hovered");
    const guide = svg.querySelector(".guide");
    guide.setAttribute("x1", x);
    guide.setAttribute("x2", x);
    for (const [name, y] of [["training", training], ["validation", validation]]) {
      const dot = svg.querySelector(`.dot.of-${name}`);
      dot.setAttribute("cx", x);
      dot.setAttribute("cy", y);
    }
    readout.textContent = text;
  }
}

for (const { svg, epochs } of charts) {
  const nearest = (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    let best = 0;
    epochs.forEach((epoch, index) => {
      if (Math.abs(epoch.x - x) < Math.abs(epochs[best].x - x)) best = index;
    });
    show(best);
  };
  svg.addEventListener("pointermove", nearest);
  svg.addEventListener("pointerdown", nearest);
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) {
      event.preventDefault();
      show(shown + step);
    }
  });
}
show(shown);
