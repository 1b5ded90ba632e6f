"""The script of the page. It filters and pages the sample of pairs, which is all there without it."""

SCRIPT = """
"use strict";
for (const sample of document.querySelectorAll(".sample")) {
  const SIZE = 10;
  const pairs = [...sample.querySelectorAll(".pair")];
  const controls = sample.querySelector(".controls");
  const search = controls.querySelector("input");
  const selects = [...controls.querySelectorAll("select")];
  const found = controls.querySelector("output");
  const pager = sample.querySelector(".pager");
  const place = pager.querySelector("output");
  const [back, ahead] = pager.querySelectorAll("button");
  const texts = pairs.map((pair) => pair.textContent.toLowerCase());
  let matching = pairs, page = 0;
  const show = () => {
    const first = page * SIZE;
    const shown = new Set(matching.slice(first, first + SIZE));
    for (const pair of pairs) pair.hidden = !shown.has(pair);
    const last = Math.min(first + SIZE, matching.length);
    found.textContent = `${matching.length.toLocaleString("en")} of ${pairs.length.toLocaleString("en")} pairs`;
    place.textContent = matching.length ? `${first + 1} to ${last} of ${matching.length}` : "no matching pairs";
    back.disabled = page === 0;
    ahead.disabled = last >= matching.length;
  };
  const filter = () => {
    const words = search.value.toLowerCase().split(/\\s+/).filter(Boolean);
    matching = pairs.filter((pair, at) =>
      words.every((word) => texts[at].includes(word)) &&
      selects.every((select) => !select.value || pair.dataset[select.name] === select.value));
    page = 0;
    show();
  };
  const turn = (by) => {
    page += by;
    show();
    controls.scrollIntoView({ block: "start" });
  };
  search.addEventListener("input", filter);
  for (const select of selects) select.addEventListener("change", filter);
  back.addEventListener("click", () => turn(-1));
  ahead.addEventListener("click", () => turn(1));
  controls.hidden = pager.hidden = false;
  filter();
}
"""
"""Its hash is in the policy of the page. It writes text only, never markup."""
