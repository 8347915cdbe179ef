#!/usr/bin/python3 -I
# /// stagedoor
# title = "Sales report"
# description = "A page with a chart and a table of the sales: what this script prints is **HTML**, shown in a frame."
# tags = ["report", "html"]
# order = 31
# access = { run = ["everyone"] }
# timeout = "1m"
# output_format = "html"
#
# [[param]]
# name = "by"
# title = "One bar for each"
# option = "--by="
# choices = ["region", "product", "month"]
# default = "region"
# ///
# Needs: Python 3, nothing else. Stagedoor runs no script and loads nothing for such a page, so its
# style stands in it and its chart is drawn with SVG. Whatever comes from data is escaped.
import argparse
import csv
from collections import Counter
from html import escape

STYLE = """
:root { color-scheme: light dark; --ink: #1d1b18; --soft: #5f5a51; --bar: #0b6b62; --line: #e5e1d9; --paper: #fff }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ecebe7; --soft: #aaa8a1; --bar: #52c7b8; --line: #2d3036; --paper: #1b1d21 }
}
body { margin: 0; padding: 1.5rem; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
h1 { margin: 0 0 .25rem; font-size: 1.375rem }
p { margin: 0 0 1.25rem; color: var(--soft) }
svg { display: block; width: 100%; max-width: 36rem; height: auto; font: 14px system-ui, sans-serif }
rect { fill: var(--bar) }
text { fill: var(--ink) }
table { border-collapse: collapse; margin-top: 1.5rem; width: 100%; max-width: 36rem }
th, td { text-align: left; padding: .4rem .5rem; border-bottom: 1px solid var(--line) }
td + td, th + th { text-align: right; font-variant-numeric: tabular-nums }
"""


def sums(by):
    """Key -> (number of sales, sum), the largest first."""
    count, total = Counter(), Counter()
    with open("data/sales.csv", newline="", encoding="utf-8") as file:
        for sale in csv.DictReader(file):
            key = sale["date"][:7] if by == "month" else sale[by]
            count[key] += 1
            total[key] += float(sale["amount"])
    keys = sorted(total) if by == "month" else [key for key, _ in total.most_common()]
    return [(key, count[key], total[key]) for key in keys]


def chart(rows):
    """Bars beside their names."""
    largest = max(total for _, _, total in rows)
    lines = []
    for place, (key, _, total) in enumerate(rows):
        y = place * 34
        lines.append(f'<text x="0" y="{y + 20}">{escape(key)}</text>')
        lines.append(f'<rect x="90" y="{y + 4}" width="{240 * total / largest:.1f}" height="22" rx="4"/>')
        lines.append(f'<text x="{98 + 240 * total / largest:.1f}" y="{y + 20}">{total:,.0f}</text>')
    label = f"Bar chart of {len(rows)} sums"
    return f'<svg viewBox="0 0 410 {34 * len(rows)}" role="img" aria-label="{label}">{"".join(lines)}</svg>'


def table(by, rows):
    cells = "".join(f"<tr><td>{escape(key)}</td><td>{count}</td><td>{total:,.2f}</td></tr>" for key, count, total in rows)
    return f"<table><tr><th>{escape(by.capitalize())}</th><th>Sales</th><th>Sum</th></tr>{cells}</table>"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--by", choices=["region", "product", "month"], default="region")
    by = parser.parse_args().by
    rows = sums(by)
    everything = sum(total for _, _, total in rows)
    print(f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Sales by {by}</title><style>{STYLE}</style>')
    print(f"<h1>Sales by {by}</h1><p>{everything:,.2f} in all</p>")
    print(chart(rows), table(by, rows), sep="\n")


main()
