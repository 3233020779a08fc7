"""How the report looks: light and dark, from a phone's width on, and on paper."""

_LIGHT = """
  --page: #f6f7f9; --card: #ffffff; --ink: #1a1e24; --ink-2: #545c67; --line: #dfe3e8;
  --accent: 31 95 168; --error: 214 90 30; --link: #1f5fa8; --bad: #b3261e;
  --note: #fff4db;
  --steps: #a9b4c0; --train: #5d6773; --validation: #1f5fa8; --averaged: #c4551a;
  --time-training: #1f5fa8; --time-waiting: #d9662b; --time-validation: #5b9bd5;
  --time-checkpoints: #2e8540; --time-other: #a9b4c0;
"""
_DARK = """
  --page: #12151a; --card: #1b2027; --ink: #e8ebef; --ink-2: #a7b0bb; --line: #333b45;
  --accent: 56 120 196; --error: 232 125 60; --link: #7db7f2; --bad: #ff9d92;
  --note: #3a3014;
  --steps: #56616e; --train: #aeb8c4; --validation: #6fb0f5; --averaged: #f0985c;
  --time-training: #4a90d9; --time-waiting: #e8834a; --time-validation: #9cc8f0;
  --time-checkpoints: #57b36b; --time-other: #6a7582;
"""

STYLE = (
    ":root { color-scheme: light dark;"
    + _LIGHT
    + "}\n@media screen and (prefers-color-scheme: dark) { :root {"
    + _DARK
    + "} }"
    + """
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans",
    "Liberation Sans", sans-serif;
}
header, main { max-width: 76rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2rem; }
h1 { margin: 0; font-size: 1.9rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 0 0 .8rem; font-size: 1.3rem; }
h3 { margin: 1rem 0 .4rem; font-size: 1rem; }
.kind { margin: 0 0 .2rem; color: var(--ink-2); font-size: .8rem; font-weight: 600;
  letter-spacing: .08em; text-transform: uppercase; }
.subtitle { margin: .3rem 0 0; color: var(--ink-2); overflow-wrap: anywhere; }
a { color: var(--link); }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; margin-top: .9rem; }
section { margin: 2.4rem 0; scroll-margin-top: 1rem; }
footer { margin: 3rem 0 2rem; color: var(--ink-2); font-size: .85rem; }
.note { margin: 1.2rem 0 0; padding: .6rem .9rem; border-radius: .4rem;
  background: var(--note); border-left: .25rem solid var(--averaged); }

.headline { display: grid; gap: .8rem; margin: 1.5rem 0 0;
  grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); }
.headline div, figure { background: var(--card); border: 1px solid var(--line);
  border-radius: .6rem; }
.headline div { padding: .8rem 1rem; }
.headline dt { color: var(--ink-2); font-size: .85rem; }
.headline dd { margin: 0; color: var(--ink-2); font-size: .85rem; line-height: 1.35; }
.headline .value { color: var(--ink); font-size: 1.65rem; font-weight: 600;
  line-height: 1.3; font-variant-numeric: tabular-nums; }

.grid { display: grid; gap: 1rem; margin-bottom: 1rem; }
.grid > * { min-width: 0; }
.halves { grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); }
.thirds { grid-template-columns: repeat(auto-fit, minmax(min(100%, 18rem), 1fr)); }
.classes { grid-template-columns: repeat(auto-fit, minmax(min(100%, 35rem), 1fr)); }
.tables { columns: 21rem; column-gap: 2rem; }
.tables > * { margin-bottom: 1.4rem; break-inside: avoid; }
figure { margin: 0; padding: .9rem; break-inside: avoid; }
.grid figure { display: flex; flex-direction: column; }
.grid figcaption { order: -1; margin-bottom: .5rem; }
.grid figcaption h3 { margin: 0; }
figcaption { font-size: .95rem; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem .9rem; margin: 0; padding: 0;
  list-style: none; color: var(--ink-2); font-size: .85rem; }
.legend svg { width: 1.5rem; height: .6rem; margin-right: .35rem; }
.chart { display: block; width: 100%; height: auto; max-width: 40rem; }
.chart * { stroke-linejoin: round; stroke-linecap: butt; }
.bar { display: block; width: 100%; height: 2.25rem; border-radius: .3rem; }
#time figure { display: flex; flex-direction: column; gap: .7rem; }
#time figcaption { order: -1; font-weight: 600; }
#time table { min-width: min(100%, 24rem); }
.key { display: inline-block; width: .8em; height: .8em; margin-right: .5em;
  border-radius: .15em; }
.time-training { fill: var(--time-training); background: var(--time-training); }
.time-waiting { fill: var(--time-waiting); background: var(--time-waiting); }
.time-validation { fill: var(--time-validation); background: var(--time-validation); }
.time-checkpoints { fill: var(--time-checkpoints);
  background: var(--time-checkpoints); }
.time-other { fill: var(--time-other); background: var(--time-other); }

.scroll { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; font-size: .9rem;
  font-variant-numeric: tabular-nums; }
caption { padding: 0 0 .4rem; text-align: left; font-weight: 600; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; }
th:first-child, .matrix td:first-child { padding-left: 0; }
thead th { color: var(--ink-2); font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 400; overflow-wrap: break-word; }
.number { text-align: right; }
.tables table { width: 100%; }
.tables td { overflow-wrap: anywhere; }
section > .scroll { margin-bottom: 1.4rem; }

.matrix th, .matrix td { padding: .35rem .5rem; text-align: center; }
.matrix tbody th { position: sticky; left: 0; padding-left: 0; text-align: right;
  white-space: nowrap; background: var(--page); }
.matrix thead td { color: var(--ink-2); font-size: .8rem; text-align: right;
  vertical-align: bottom; white-space: nowrap; }
.matrix tbody td { min-width: 2.9rem; border: 1px solid var(--card);
  background: rgb(var(--error) / var(--shade, 0)); }
.matrix tbody .right { background: rgb(var(--accent) / var(--shade, 0)); }
.matrix .none { color: transparent; }
.matrix .strong { color: #fff; }
.turned thead th { vertical-align: bottom; }
.turned thead th span { writing-mode: vertical-rl; transform: rotate(180deg);
  max-height: 11rem; text-align: left; }
.meter { display: inline-block; min-width: 5rem; padding-bottom: .15rem;
  background: linear-gradient(rgb(var(--accent)), rgb(var(--accent))) left bottom /
    calc(100% * var(--share)) .2rem no-repeat, linear-gradient(var(--line),
    var(--line)) left bottom / 100% .2rem no-repeat; }

.sheet { display: grid; gap: .8rem;
  grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); }
.sheet figure { padding: .5rem; }
.sheet img { display: block; width: 100%; height: auto; aspect-ratio: 1;
  object-fit: contain; border-radius: .3rem; background: rgb(128 128 128 / .15); }
.sheet .pixels { image-rendering: pixelated; }
.sheet figcaption { margin-top: .4rem; font-size: .85rem; line-height: 1.35;
  overflow-wrap: anywhere; }
.sheet span { display: block; }
.wrong { color: var(--bad); font-weight: 600; }
.file { color: var(--ink-2); font-size: .75rem; }

details { margin: .8rem 0; }
summary { cursor: pointer; color: var(--link); }
details > * + * { margin-top: .6rem; }
pre { margin: 0 0 1rem; padding: .7rem .9rem; overflow-x: auto; background: var(--card);
  border: 1px solid var(--line); border-radius: .4rem; white-space: pre-wrap;
  overflow-wrap: anywhere; }
code { font: .85rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono",
  monospace; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }

@media print {
  :root { --page: #ffffff; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: .8rem; }
  header, main { max-width: none; padding: 0; }
  nav { display: none; }
  .scroll { overflow: visible; }
  .halves { grid-template-columns: 1fr 1fr; }
  .thirds { grid-template-columns: 1fr 1fr 1fr; }
  h2, caption { break-after: avoid; }
  tr, .headline div { break-inside: avoid; }
}
"""
)
