"""Draws the commit times as an SVG: both axes logarithmic, nothing but the standard library."""

import math

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 80, 40, 50, 60
COLORS = {"tree": "#1f6fb2", "change": "#c2571a"}
TITLES = {"tree": "one 4 KiB change, by files in the tree", "change": "new 4 KiB files, by their number"}


class Axis:
    """From a value to a place, over whole decades."""

    def __init__(self, values, start, end):
        self.low = math.floor(math.log10(min(values)) + 1e-9)
        self.high = max(math.ceil(math.log10(max(values)) - 1e-9), self.low + 1)
        self.start, self.end = start, end

    def place(self, value):
        part = (math.log10(value) - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)

    def decades(self):
        return [10.0 ** power for power in range(self.low, self.high + 1)]


def plot(points):
    """The document's text; `points` are of rows.Point."""
    x = Axis([point.files for point in points], LEFT, WIDTH - RIGHT)
    y = Axis([point.seconds for point in points], HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        text(WIDTH / 2, HEIGHT - 15, "files", "middle"),
        *grid(x, y),
    ]
    for number, series in enumerate(TITLES):
        parts += curve(series, sorted((p.files, p.seconds) for p in points if p.series == series), x, y)
        parts.append(text(LEFT + number * 300, 25, f"● {TITLES[series]}", "start", COLORS[series]))
    return "\n".join([*parts, "</svg>"]) + "\n"


def grid(x, y):
    for value in x.decades():
        at = x.place(value)
        yield f'<line x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{HEIGHT - BOTTOM}" stroke="#ddd"/>'
        yield text(at, HEIGHT - BOTTOM + 18, f"{value:,.0f}", "middle")
    for value in y.decades():
        at = y.place(value)
        yield f'<line x1="{LEFT}" y1="{at:.1f}" x2="{WIDTH - RIGHT}" y2="{at:.1f}" stroke="#ddd"/>'
        yield text(LEFT - 8, at + 4, f"{value * 1e3:g} ms" if value < 1 else f"{value:g} s", "end")


def curve(series, pairs, x, y):
    places = [(x.place(files), y.place(seconds)) for files, seconds in pairs]
    line = " ".join(f"{across:.1f},{down:.1f}" for across, down in places)
    yield f'<polyline points="{line}" fill="none" stroke="{COLORS[series]}" stroke-width="2"/>'
    for across, down in places:
        yield f'<circle cx="{across:.1f}" cy="{down:.1f}" r="4" fill="{COLORS[series]}"/>'


def text(across, down, shown, anchor, color="#333"):
    return f'<text x="{across:.1f}" y="{down:.1f}" text-anchor="{anchor}" fill="{color}">{shown}</text>'
