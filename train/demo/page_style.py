"""How the demo's page looks, light and dark. Knows no content."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --paper: #f6f5f2; --card: #ffffff; --ink: #23272f; --quiet: #6a7180;
  --line: #dedbd3; --good: #1d7f4f; --bad: #bf3a2b; --frame: #e9e6df; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171c; --card: #1d2128; --ink: #e8e6e1; --quiet: #98a0ae; --line: #323843;
    --good: #55c58d; --bad: #ff8576; --frame: #101317; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 32px 20px 80px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 8px; letter-spacing: -0.01em; }
h2 { font-size: 21px; margin: 48px 0 14px; }
h3 { font-size: 16px; margin: 26px 0 12px; color: var(--quiet); font-weight: 600; }
h4 { font-size: 18px; line-height: 1.3; margin: 2px 0 6px; }
p { margin: 0 0 8px; }
header { background: var(--card); border: 1px solid var(--line); border-left: 6px solid var(--good);
  border-radius: 14px; padding: 26px 28px; }
header.bad { border-left-color: var(--bad); }
header > p { color: var(--quiet); max-width: 70ch; }
header > p.problem { color: var(--bad); font-weight: 600; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(160px, 1fr)); gap: 18px;
  margin-top: 20px; }
.tile b { display: block; font-size: 28px; line-height: 1.15; font-variant-numeric: tabular-nums; }
.tile span { color: var(--quiet); font-size: 14px; }
.people { display: grid; gap: 16px; }
.person, .card { background: var(--card); border: 1px solid var(--line); border-radius: 14px;
  overflow: hidden; }
.person { padding: 4px 18px 14px; }
.person h3 { margin: 12px 0; color: var(--ink); font-size: 18px; }
.person img { display: block; max-width: 100%; border-radius: 8px; }
.person ul { margin: 10px 0 0; padding-left: 18px; color: var(--quiet); font-size: 14px; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(330px, 1fr)); gap: 18px; }
.card { display: flex; flex-direction: column; border-top: 4px solid var(--good); }
.card.bad { border-top-color: var(--bad); }
.frames { background: var(--frame); display: grid; gap: 2px; align-items: center;
  grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); min-height: 150px; }
.frames img { width: 100%; display: block; }
.empty { color: var(--quiet); text-align: center; margin: 0; padding: 24px; font-size: 14px; }
.text { padding: 14px 18px 16px; }
.topic { color: var(--quiet); font-size: 13px; margin: 0; }
.said { font-size: 16px; }
.mark { display: inline-block; font-size: 13px; font-weight: 600; padding: 1px 10px; border-radius: 99px;
  border: 1px solid currentColor; margin-right: 6px; }
.good { color: var(--good); } .bad { color: var(--bad); }
header.good, header.bad, .card.good, .card.bad { color: var(--ink); }
dl { display: grid; grid-template-columns: auto 1fr; gap: 2px 14px; margin: 10px 0 0; font-size: 14px; }
dt { color: var(--quiet); } dd { margin: 0; }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 14px;
  margin-bottom: 14px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
td, th { text-align: left; vertical-align: top; padding: 7px 16px; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; }
th { font-weight: 600; } tr:last-child > * { border-bottom: 0; }
.quiet { color: var(--quiet); }
"""
